/** tollgate.yaml's `tls`: which listeners ask for client certificates, and whose. */
import { readFile, stat } from 'node:fs/promises';
import * as z from 'zod';
import { systemCodeOf } from '../core/errors.ts';
import { certificatesIn, clientCaFault } from './certificates.ts';
import { type Endpoint, endpointText, isLocal } from './endpoint.ts';
import { list, text } from './forms.ts';
import { type Problems, show } from './problem.ts';
import { secretFileFault } from './secret-file.ts';
import type { Source } from './source.ts';

/** PEM files of a listener. Absolute paths. */
export interface TlsFiles {
  /** Our certificate and what stands between it and its authority. */
  readonly cert: string;
  readonly key: string;
  /** Authorities that client certificates must come from. */
  readonly clientCa: string;
}

export interface TlsSettings extends TlsFiles {
  /** Who may connect, never empty: SPIFFE ids and DNS names, exact. */
  readonly names: readonly string[];
}

/** By listener; undefined: it is plain. */
export interface TlsListeners {
  readonly check: TlsSettings | undefined;
  readonly accessLog: TlsSettings | undefined;
  readonly admin: TlsSettings | undefined;
}

/** SPIFFE-ID.md, 2: a trust domain of lower-case letters, a path of plain segments without a slash at its end. */
const SPIFFE = 'spiffe://[a-z0-9._-]{1,255}(?:/(?!\\.{1,2}(?:/|$))[A-Za-z0-9._-]+)*';
const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?';
const NAME = new RegExp(`^(?:${SPIFFE}|${LABEL}(?:\\.${LABEL})*)$`);

/** Beyond any chain, key or bundle of own authorities. */
export const PEM_BYTES_MAX = 256 * 1024;

const fileName = z.string().min(1).max(1024).describe('the path of a file');
const name = text(NAME, 'a name in a certificate like `spiffe://acme/envoy` or `envoy.gateway.svc`').max(2048);
const entry = z.strictObject({
  cert: fileName,
  key: fileName,
  client_ca: fileName,
  names: list(name, 'names in certificates like `spiffe://acme/envoy` or `envoy.gateway.svc`'),
});
type TlsEntry = z.infer<typeof entry>;

/** Keys of `tls` and of `listen`, and what a listener is called in the code. */
const LISTENERS = { check: 'check', access_log: 'accessLog', admin: 'admin' } as const;
type ListenerKey = keyof typeof LISTENERS;

const other = z.enum(['check', 'access_log', 'admin']);
/** What is neither is judged as the last one, the mapping. */
const listenerTls = z.union([other, entry]);

export const tlsSchema = z.strictObject({
  check: listenerTls.optional(),
  access_log: listenerTls.optional(),
  admin: listenerTls.optional(),
} satisfies Record<ListenerKey, unknown>);
type TlsFile = z.infer<typeof tlsSchema>;

/** `below`: makes a path absolute. A listener that shares a mapping which is not there is plain, and reported by `lintTls`. */
export function tlsOf(data: TlsFile | undefined, below: (path: string) => string): TlsListeners {
  const of = (key: ListenerKey): TlsSettings | undefined => {
    const written = entryOf(data, key);
    if (written === undefined) return undefined;
    const { cert, key: keyFile, client_ca: clientCa, names } = written;
    return Object.freeze({
      cert: below(cert),
      key: below(keyFile),
      clientCa: below(clientCa),
      names: Object.freeze([...names]),
    });
  };
  return Object.freeze({ check: of('check'), accessLog: of('access_log'), admin: of('admin') });
}

/** One step only: a mapping is shared with the listener that has it. */
function entryOf(data: TlsFile | undefined, key: ListenerKey): TlsEntry | undefined {
  const written = data?.[key];
  const shared = typeof written === 'string' ? data?.[written] : written;
  return typeof shared === 'string' ? undefined : shared;
}

export interface TlsLint {
  /** What is written under `tls`. */
  readonly data: TlsFile | undefined;
  readonly tls: TlsListeners;
  readonly listen: { readonly check: Endpoint; readonly accessLog: Endpoint; readonly admin: Endpoint | undefined };
}

/** Files are there and hold what they should, the key is closed to others, and nothing is left plain beside what is not. */
export async function lintTls({ data, tls, listen }: TlsLint, source: Source, problems: Problems): Promise<void> {
  lintExposed(tls, listen, source, problems);
  for (const key of Object.keys(LISTENERS) as ListenerKey[]) {
    const written = data?.[key];
    if (written === undefined) continue;
    const at = source.at(['tls', key]);
    if (key === 'admin' && listen.admin === undefined) {
      problems.report('value-wrong', at, { text: 'there is no admin port: `listen.admin` is `off`' });
    }
    const found = tls[LISTENERS[key]];
    if (found === undefined) {
      const expected = 'a listener with a mapping of its own under `tls`';
      problems.report('value-wrong', at, { expected, found: show(written) });
    } else if (typeof written !== 'string') {
      await lintFiles(key, found, source, problems);
    }
  }
}

/** `plain_listen` is asked for the whole process; whoever has certificates for one of Envoy's listeners means both. */
function lintExposed(tls: TlsListeners, listen: TlsLint['listen'], source: Source, problems: Problems): void {
  if (tls.check === undefined && tls.accessLog === undefined) return;
  for (const key of ['check', 'access_log'] as const) {
    const endpoint = listen[LISTENERS[key]];
    if (tls[LISTENERS[key]] !== undefined || isLocal(endpoint)) continue;
    problems.report('listen-exposed', source.at(['listen', key]), {
      expected: `\`tls.${key}\`, because the other listener has it`,
      found: `${show(endpointText(endpoint))}, plain`,
    });
  }
}

async function lintFiles(
  listener: ListenerKey,
  { cert, key, clientCa }: TlsSettings,
  source: Source,
  problems: Problems,
): Promise<void> {
  const report = (field: string, expected: string, found: string | undefined): void => {
    if (found !== undefined) problems.report('secret-file', source.at(['tls', listener, field]), { expected, found });
  };
  const remedy = 'mount it, closed to others';
  const keyFault = await secretFileFault(key, { bytesMin: 1, bytesMax: PEM_BYTES_MAX, remedy });
  report('key', 'a readable private key (PEM) with mode 0640 or stricter', keyFault);
  const certFault = await pemFault(cert, (pem) => (certificatesIn(pem) === undefined ? 'none' : undefined));
  report('cert', 'a readable certificate chain (PEM)', certFault);
  report('client_ca', 'a readable file of own authorities (PEM)', await pemFault(clientCa, clientCaFault));
}

async function pemFault(file: string, judge: (pem: string) => string | undefined): Promise<string | undefined> {
  try {
    const found = await stat(file);
    if (!found.isFile()) return 'no file';
    if (found.size > PEM_BYTES_MAX) return `${found.size} bytes`;
    return judge(await readFile(file, 'latin1'));
  } catch (cause) {
    const code = systemCodeOf(cause) ?? 'unknown error';
    return code === 'ENOENT' ? 'no such file' : `nothing that can be read (${code})`;
  }
}
