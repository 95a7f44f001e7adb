/** Where a server of ours listens, as tollgate.yaml writes it. */
import { BlockList, isIP, isIPv6 } from 'node:net';

export type Endpoint =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string };

/** sun_path of macOS holds 104 bytes with its NUL, that of Linux 108. */
export const SOCKET_PATH_BYTES_MAX = 103;

/** Where the admin port is, unless tollgate.yaml says otherwise. Here, so that `tollgate health` need not load the settings. */
export const ADMIN_ADDRESS = '127.0.0.1:18082';

const TCP = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]{1,253})):(0|[1-9][0-9]{0,4})$/;

/** What every endpoint is written like; not everything that is written so is one. */
export const ENDPOINT = new RegExp(`^unix:[^@]|${TCP.source}`);

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Reads `HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`; undefined for anything else. Port 0 takes a free one. A relative path
 * stays relative.
 */
export function parseEndpoint(text: string): Endpoint | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    // `@` would be an abstract socket, which no file mode guards.
    const isPath = path !== '' && !path.startsWith('@') && Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX;
    return isPath ? { kind: 'unix', path } : undefined;
  }
  const match = TCP.exec(text);
  if (match === null) return undefined;
  const [, bracketed, plain, digits] = match;
  const port = Number(digits);
  if (port > 65_535 || (bracketed !== undefined && !isIPv6(bracketed))) return undefined;
  return { kind: 'tcp', host: bracketed ?? plain!, port };
}

/** As `parseEndpoint` reads it. */
export function endpointText(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix:${endpoint.path}`;
  return isIPv6(endpoint.host) ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
}

/** Whether only this machine can reach it: a socket, a loopback address, or `localhost`. */
export function isLocal(endpoint: Endpoint): boolean {
  if (endpoint.kind === 'unix') return true;
  const family = isIP(endpoint.host);
  if (family === 0) return endpoint.host === 'localhost';
  return LOOPBACK.check(endpoint.host, family === 6 ? 'ipv6' : 'ipv4');
}
