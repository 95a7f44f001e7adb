/** A peer of a door, and the door with its files, for the tests of both. */
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { TlsDoor, type TurnedAway } from '../../src/envoy/tls.ts';
import { type TlsEvent, TlsKeeper } from '../../src/envoy/tls-keeper.ts';
import type { TlsFiles } from '../../src/policy/settings-tls.ts';
import type { TestCertificate } from '../support/certificates.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';

/** The files of a listener in a directory of their own, as a secret is mounted. */
export async function tlsFiles(
  scope: Scope,
  own: TestCertificate,
  { cert: ca }: { readonly cert: string },
): Promise<TlsFiles> {
  const dir = join(await tempDir(scope), 'tls');
  await mkdir(dir);
  const files = { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key'), clientCa: join(dir, 'ca.crt') };
  await writeTls(files, { ...own, ca });
  return files;
}

/** Replaces what is given, each file at once. */
export async function writeTls(
  files: TlsFiles,
  texts: { readonly cert?: string; readonly key?: string; readonly ca?: string },
): Promise<void> {
  for (const [file, text] of [
    [files.cert, texts.cert],
    [files.key, texts.key],
    [files.clientCa, texts.ca],
  ] as const) {
    if (text === undefined) continue;
    await writeFile(`${file}.new`, text, { mode: 0o600 });
    await chmod(`${file}.new`, 0o600);
    await rename(`${file}.new`, file);
  }
}

export interface TestDoor {
  readonly door: TlsDoor;
  readonly keeper: TlsKeeper;
  readonly turnedAway: TurnedAway[];
  readonly events: TlsEvent[];
}

export async function doorFor(
  files: TlsFiles,
  names: readonly string[],
  clock: Pick<Clock, 'nowMs'> = systemClock,
): Promise<TestDoor> {
  const turnedAway: TurnedAway[] = [];
  const events: TlsEvent[] = [];
  const keeper = await TlsKeeper.open(files, {
    clock: { ...systemClock, ...clock },
    tell: (event) => void events.push(event),
  });
  const door = new TlsDoor({ keeper, names, protocol: 'h2', onTurnedAway: (each) => void turnedAway.push(each) });
  return { door, keeper, turnedAway, events };
}

/** A peer's connection: asks as often as wanted, until it is closed. */
export interface Asking {
  /** Whether a call of `path` was answered with gRPC status 0. Never rejects. */
  ask(path: string): Promise<boolean>;
  close(): void;
}

/** Opens HTTP/2 over TLS to a port of this machine. Server certificates are not judged: that is Envoy's part. */
export function peerOf(port: number, options: ConnectionOptions): Asking {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false, ...options });
  session.on('error', () => {});
  const gone = new Promise<false>((resolve) => session.once('close', () => resolve(false)));
  return {
    ask: (path) => {
      if (session.closed || session.destroyed) return gone;
      const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
      const stream = session.request(headers);
      const answered = new Promise<boolean>((resolve) => {
        let status: unknown;
        stream.on('trailers', (trailers) => {
          status = trailers['grpc-status'];
        });
        stream.on('error', () => {});
        stream.on('close', () => resolve(status === '0'));
      });
      stream.resume();
      stream.end(Buffer.from([0, 0, 0, 0, 0]));
      return Promise.race([answered, gone]);
    },
    close: () => session.destroy(),
  };
}
