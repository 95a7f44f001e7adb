/**
 * Load for a unary gRPC method: h2load where there is one, else a child process of our own that speaks HTTP/2 directly, so
 * that as little as possible of the machine goes into asking. Run as a program it is that child.
 */
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { type ClientHttp2Session, connect } from 'node:http2';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { removeTemp, tempDir } from './temp.ts';

/** As many connections as an Envoy with two workers holds, and calls that wait on each. */
const CONNECTIONS = 2;
const IN_FLIGHT_EACH = 32;

export interface LoadOrder {
  readonly port: number;
  readonly path: string;
  /** The request with its five bytes of gRPC frame. */
  readonly frame: Uint8Array;
  readonly seconds: number;
}

export interface LoadReport {
  readonly calls: number;
  /** Calls that did not end with a CheckResponse that allows. h2load cannot tell, and counts only what failed in HTTP. */
  readonly failed: number;
  readonly seconds: number;
}

export function h2loadOnPath(): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, 'h2load'), constants.X_OK);
      return directory !== '';
    } catch {
      return false;
    }
  });
}

export function load(order: LoadOrder): Promise<LoadReport> {
  return h2loadOnPath() ? h2load(order) : child(order);
}

async function child(order: LoadOrder): Promise<LoadReport> {
  const client = fork(import.meta.filename, { serialization: 'advanced' });
  let report: LoadReport | undefined;
  client.once('message', (message) => {
    report = message as LoadReport;
  });
  client.send(order);
  await once(client, 'exit');
  if (report === undefined) throw new Error('the client ended without a report');
  return report;
}

async function h2load({ port, path, frame, seconds: asked }: LoadOrder): Promise<LoadReport> {
  // It takes whole seconds only.
  const seconds = Math.max(1, Math.round(asked));
  const directory = await tempDir();
  try {
    const file = join(directory, 'request');
    await writeFile(file, frame);
    const { stdout } = await promisify(execFile)('h2load', [
      ...['--clients', String(CONNECTIONS), '--max-concurrent-streams', String(IN_FLIGHT_EACH)],
      ...['--duration', String(seconds), '--data', file],
      ...['--header', 'content-type: application/grpc', '--header', 'te: trailers'],
      `http://127.0.0.1:${port}${path}`,
    ]);
    const done = /requests: .* (\d+) done, (\d+) succeeded, (\d+) failed/.exec(stdout);
    if (done === null) throw new Error(`h2load said something unexpected: ${stdout.slice(0, 200)}`);
    return { calls: Number(done[2]), failed: Number(done[3]), seconds };
  } finally {
    await removeTemp(directory);
  }
}

/** Frame head of an uncompressed message, then CheckResponse `status {code: 0}`, explicit, first. */
const ALLOWED = Buffer.from([0x0a, 0x02, 0x08, 0x00]);
const FRAME_HEAD_BYTES = 5;

async function run({ port, path, frame, seconds }: LoadOrder): Promise<LoadReport> {
  const sessions = Array.from({ length: CONNECTIONS }, () => connect(`http://127.0.0.1:${port}`));
  await Promise.all(sessions.map((session) => once(session, 'connect')));
  const counts = { calls: 0, failed: 0 };
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  const asking = sessions.flatMap((session) =>
    Array.from({ length: IN_FLIGHT_EACH }, async () => {
      while (performance.now() < endMs) {
        if (await ask(session, { path, frame })) counts.calls++;
        else counts.failed++;
      }
    }),
  );
  await Promise.all(asking);
  const tookSeconds = (performance.now() - startMs) / 1000;
  for (const session of sessions) session.close();
  return { ...counts, seconds: tookSeconds };
}

function ask(session: ClientHttp2Session, { path, frame }: { path: string; frame: Uint8Array }): Promise<boolean> {
  return new Promise((resolve) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-timeout': '2S',
    });
    let first: Buffer | undefined;
    stream.on('data', (bytes: Buffer) => {
      first ??= bytes;
    });
    stream.once('error', () => resolve(false));
    stream.once('close', () => {
      const message = first?.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + ALLOWED.length);
      resolve(message?.equals(ALLOWED) === true);
    });
    stream.end(frame);
  });
}

if (import.meta.main) {
  process.once('disconnect', () => process.exit());
  process.once('message', (order: LoadOrder) => {
    run(order).then((report) => {
      process.send?.(report);
      process.disconnect();
    });
  });
}
