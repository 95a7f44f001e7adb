import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Scope } from './scope.ts';

/** What becomes of bytes; may be changed at any time, of links that are there too. */
export interface ProxyFaults {
  /** Of those to the server. `drop`: they go nowhere, and nobody is told. */
  toServer: 'pass' | 'drop';
  /** Of those to the client. `drop`: what the server answers is lost. */
  toClient: 'pass' | 'drop';
  /** Each way later by this, ms. */
  delayMs: number;
}

export interface TcpProxy {
  readonly port: number;
  readonly faults: ProxyFaults;
  /** Links that were made so far. */
  readonly links: number;
  /** Bytes of the server's that were dropped so far. */
  readonly dropped: number;
  /** Ends all links with a reset; later ones are made as before. */
  reset(): void;
}

/** A proxy on 127.0.0.1 before a server on 127.0.0.1 that loses, delays and cuts as it is told, for the time of the scope. */
export async function tcpProxyFor(scope: Scope, serverPort: number): Promise<TcpProxy> {
  const faults: ProxyFaults = { toServer: 'pass', toClient: 'pass', delayMs: 0 };
  const sockets = new Set<Socket>();
  let links = 0;
  let dropped = 0;
  const track = (socket: Socket): void => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  const later = (send: () => void): void => {
    if (faults.delayMs === 0) send();
    else setTimeout(send, faults.delayMs);
  };
  const listener = createServer((client) => {
    links++;
    const server = connect(serverPort, '127.0.0.1');
    track(client);
    track(server);
    client.on('data', (bytes) => {
      if (faults.toServer === 'pass') later(() => server.write(bytes));
    });
    server.on('data', (bytes) => {
      if (faults.toClient === 'pass') later(() => client.write(bytes));
      else dropped += bytes.length;
    });
    client.on('close', () => later(() => server.destroy()));
    server.on('close', () => later(() => client.destroy()));
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const reset = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  scope.after(async () => {
    reset();
    listener.close();
    await once(listener, 'close');
  });
  return {
    port: (listener.address() as AddressInfo).port,
    faults,
    get links() {
      return links;
    },
    get dropped() {
      return dropped;
    },
    reset,
  };
}
