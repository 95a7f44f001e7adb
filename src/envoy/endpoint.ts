/** Where a server listens: TCP, loopback unless it is asked for by name, or a Unix socket that only our group may use. */
import { chmod, lstat, mkdir, stat, unlink } from 'node:fs/promises';
import { BlockList, connect, isIP } from 'node:net';
import { dirname } from 'node:path';
import { TollgateError } from '../core/errors.ts';

export type Endpoint =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

const SOCKET_MODE = 0o660;
const DIRECTORY_MODE = 0o750;
/** Time a process behind an existing socket has to accept, ms. One that listens accepts at once. */
const PROBE_MS = 1000;
/** sun_path of Linux is 108 bytes with its end; macOS has 104. */
const SOCKET_PATH_MAX = 103;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Reads `HOST:PORT`, `[IPV6]:PORT` or `unix:/absolute/path`. Port 0 takes a free one. Whoever reaches the port is believed to
 * be Envoy, so an address that is not loopback is refused unless `exposed`. Throws `settings_invalid`.
 */
export function parseEndpoint(text: string, options: { readonly exposed?: boolean } = {}): Endpoint {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    if (!path.startsWith('/')) throw invalid(`socket path must be absolute; got \`${text}\``);
    if (Buffer.byteLength(path) > SOCKET_PATH_MAX) {
      throw invalid(`socket path must be at most ${SOCKET_PATH_MAX} bytes; got \`${path}\``);
    }
    return { kind: 'unix', path };
  }
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    throw invalid(`listener must be \`HOST:PORT\` or \`unix:/PATH\`; got \`${text}\``);
  }
  if (options.exposed !== true && !isLoopback(host)) {
    throw invalid(`\`${host}\` is not a loopback address: whoever reaches it is taken for Envoy`);
  }
  return { kind: 'tcp', host, port };
}

/** As `parseEndpoint` reads it. */
export function endpointText(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`;
  return isIP(endpoint.host) === 6 ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
}

function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family === 0 ? host === 'localhost' : LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Runs `bind`, which makes the socket, so that nobody outside our group can ever reach it. Makes its directory (0750) if
 * there is none; removes a socket that nobody listens on. Throws `settings_invalid`, or `port_in_use` where somebody does.
 */
export async function bindSocket(path: string, bind: () => Promise<void>): Promise<void> {
  await prepareDirectory(dirname(path));
  await removeStale(path);
  // Between bind and chmod others could connect: the mask, which is the whole process's, closes that gap.
  const mask = process.umask(0o007);
  try {
    await bind();
  } finally {
    process.umask(mask);
  }
  await chmod(path, SOCKET_MODE);
}

async function prepareDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
  const { mode } = await stat(directory);
  if ((mode & 0o002) !== 0)
    throw invalid(`directory of the socket, \`${directory}\`, must not be writable by everybody`);
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw invalid(`\`${path}\` exists and is not a socket`);
  if (await answers(path)) throw inUse(`unix:${path}`);
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    // A listener with a full backlog does not answer in time, but is alive.
    socket.setTimeout(PROBE_MS, () => done(true));
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

/** Says what to do: the person who reads it started the second of two servers. */
export function inUse(endpoint: string): TollgateError {
  return new TollgateError(
    'port_in_use',
    `\`${endpoint}\` is in use: stop the other process, or give this one another listener in tollgate.yaml`,
  );
}

function invalid(message: string): TollgateError {
  return new TollgateError('settings_invalid', message);
}
