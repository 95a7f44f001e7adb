/** Who is at the other end of a TLS connection, and whether it may speak to us. The one place that reads a peer's certificate. */
import type { TLSSocket } from 'node:tls';

/** `unproved`: its certificate was not verified. `name`: it was, and has no name of the list. `protocol`: it speaks another one. */
export type PeerFault = 'unproved' | 'name' | 'protocol';

/** What is read of a connection. */
export type PeerSocket = Pick<TLSSocket, 'authorized' | 'alpnProtocol' | 'getPeerX509Certificate'>;

/** A peer that was proved, under the one of its names that stands on the list. */
export interface Peer {
  readonly name: string;
}

/**
 * Whether the peer may speak `protocol` to us under one of `names` (SPIFFE ids and DNS names, exact). `authorized` is asked
 * first: Node also shows the certificate of a peer whose proof has failed.
 */
export function judgePeer(
  socket: PeerSocket,
  { names, protocol }: { readonly names: ReadonlySet<string>; readonly protocol: string },
): Peer | PeerFault {
  if (!socket.authorized) return 'unproved';
  if (socket.alpnProtocol !== protocol) return 'protocol';
  const alternatives = socket.getPeerX509Certificate()?.subjectAltName;
  const name = namesIn(alternatives ?? '').find((each) => names.has(each));
  return name === undefined ? 'name' : { name };
}

/** One entry of Node's text: a type, and a value that is quoted as in JSON where it could be mistaken for more entries. */
const ENTRY = /(?:^|, )([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^",]*)/y;
const HOST = /^[a-z0-9_.-]+$/;
/** More than any certificate of a workload has. */
const NAMES_MAX = 100;

/**
 * Names in `subjectAltName` as Node writes it: DNS names, lower-case, and the SPIFFE id. None where any of it cannot be
 * read, and no id where there are several URIs (X509-SVID.md, 2: exactly one). The common name is never a name (RFC 9525, 2).
 */
export function namesIn(subjectAltName: string): readonly string[] {
  const hosts: string[] = [];
  const uris: string[] = [];
  let at = 0;
  while (at < subjectAltName.length) {
    ENTRY.lastIndex = at;
    const match = ENTRY.exec(subjectAltName);
    if (match === null || hosts.length + uris.length >= NAMES_MAX) return [];
    at = ENTRY.lastIndex;
    const [, type, value] = match;
    if (type === 'DNS') hosts.push(value!.toLowerCase());
    if (type === 'URI') uris.push(value!);
  }
  const ids = uris.length === 1 ? uris.filter((uri) => uri.startsWith('spiffe://')) : [];
  // No id comes out of a DNS entry, whatever its authority has put there.
  return [...ids, ...hosts.filter((host) => HOST.test(host))];
}
