/**
 * A door in front of a server: it takes TLS connections and lets those through whose client certificate has a name of the
 * list. A server behind it never sees a byte of anybody else.
 */
import { constants } from 'node:crypto';
import type { ListenOptions, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { systemCodeOf } from '../core/errors.ts';
import { judgePeer, type PeerFault } from './peer.ts';
import type { TlsMaterial } from './tls-files.ts';
import type { TlsKeeper } from './tls-keeper.ts';

/** Time for a handshake, ms. On one network it takes a few. */
const HANDSHAKE_MS = 5_000;
/** Connections of one door, those that shake hands included. Envoy opens one for each of its workers. */
const CONNECTIONS_MAX = 4_096;

/** Of them, those that shake hands. One more ends the oldest, which has had its time: Envoy needs a few ms of it. */
export const SHAKING_MAX = 1_024;

/** Why a connection was turned away: a fault of the peer, or `handshake`, for which `detail` has the code of OpenSSL. */
export interface TurnedAway {
  readonly fault: PeerFault | 'handshake';
  readonly detail: string | undefined;
}

export interface TlsDoorOptions {
  readonly keeper: TlsKeeper;
  /** Who may come in: SPIFFE ids and DNS names, exact. */
  readonly names: readonly string[];
  /** The only protocol spoken behind the door (ALPN). */
  readonly protocol: 'h2' | 'http/1.1';
  /** Called for each connection that was not let in. */
  readonly onTurnedAway: (turnedAway: TurnedAway) => void;
}

/** A door that is open. */
export interface OpenDoor {
  /** The real port, where 0 was asked for; 0 for a Unix socket. */
  readonly port: number;
  /** Takes no more connections, nor those that still shake hands. Those that were let in stay. Idempotent. */
  close(): void;
}

/** Asks every peer for a certificate. Follows its keeper: handshakes from then on use changed files, connections stay. */
export class TlsDoor {
  readonly #options: TlsDoorOptions;

  constructor(options: TlsDoorOptions) {
    this.#options = options;
  }

  /** Listens, and hands every connection that may come in to `enter`. Rejects with the system's error. */
  async open(where: ListenOptions, enter: (socket: TLSSocket, name: string) => void): Promise<OpenDoor> {
    const { keeper, protocol, onTurnedAway } = this.#options;
    const names = new Set(this.#options.names);
    let isOpen = true;
    const server = createServer({ ...handshakeOptions(keeper.material), ALPNProtocols: [protocol], noDelay: true });
    server.maxConnections = CONNECTIONS_MAX;
    boundShaking(server);
    server.on('secureConnection', (socket) => {
      // Shook hands while the door was closed.
      if (!isOpen) {
        socket.destroy();
        return;
      }
      const peer = judgePeer(socket, { names, protocol });
      if (typeof peer === 'string') {
        onTurnedAway({ fault: peer, detail: undefined });
        socket.destroy();
        return;
      }
      // Nobody else listens yet, and a reset is a peer's doing.
      socket.on('error', () => {});
      enter(socket, peer.name);
    });
    server.on('tlsClientError', (error, socket) => {
      onTurnedAway(faultOf(error, socket));
      socket.destroy();
    });
    const stop = keeper.onChange((material) => server.setSecureContext(handshakeOptions(material)));
    const close = (): void => {
      isOpen = false;
      stop();
      server.close();
    };
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(where, resolve);
    }).catch((error: unknown) => {
      close();
      throw error;
    });
    // Connections that the system could not give us, as where files run out: the next may go well.
    server.on('error', () => {});
    const address = server.address();
    return {
      port: address !== null && typeof address === 'object' ? address.port : 0,
      close,
    };
  }
}

/**
 * Whoever opens connections and says nothing takes no place from those who shake hands. A Unix socket is its group's, and
 * its connections have no names to be told apart by.
 */
function boundShaking(server: Server): void {
  const shaking = new Map<string, Socket>();
  server.on('connection', (socket) => {
    const name = nameOf(socket);
    if (name === undefined) return;
    shaking.set(name, socket);
    socket.once('close', () => {
      if (shaking.get(name) === socket) shaking.delete(name);
    });
    if (shaking.size <= SHAKING_MAX) return;
    const [oldest] = shaking.values();
    oldest?.destroy();
  });
  server.on('secureConnection', (socket) => shaking.delete(nameOf(socket) ?? ''));
}

/** The other end of a connection over TCP; undefined: there is none. */
function nameOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string | undefined {
  return remoteAddress === undefined || remotePort === undefined ? undefined : `${remoteAddress} ${remotePort}`;
}

/** The same for a new server and for changed files: what `setSecureContext` is not told, Node forgets. */
function handshakeOptions(material: TlsMaterial): TlsOptions {
  return {
    ...material.context,
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: HANDSHAKE_MS,
    // Nothing is resumed: each connection proves itself, by the authorities of now.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** A peer that could not be verified is cut by Node; the reason stands on the socket, the error only says that it is gone. */
function faultOf(error: Error, socket: TLSSocket): TurnedAway {
  const unproved: unknown = socket.authorizationError;
  if (typeof unproved === 'string') return { fault: 'unproved', detail: unproved };
  const code = systemCodeOf(error);
  const isMissing = code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE';
  return { fault: isMissing ? 'unproved' : 'handshake', detail: code };
}
