/** The address of a gRPC server: a port or a Unix socket, plain or behind a door. */
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { type Endpoint, endpointText } from '../policy/endpoint.ts';
import { bindSocket, inUse } from './socket.ts';
import type { TlsDoor } from './tls.ts';

/** A server that took its address. */
export interface Bound {
  readonly endpoint: Endpoint;
  /** Ends connections gently, and cuts what is left of them after `deadlineMs`. */
  drain(deadlineMs: number): void;
}

/**
 * Takes the address: behind a door only connections that it lets in, else all. Throws `port_in_use`, or `settings_invalid`
 * for a socket path that cannot be used.
 */
export async function bind(server: Server, endpoint: Endpoint, door: TlsDoor | undefined): Promise<Bound> {
  const target = endpointText(endpoint);
  const open = door === undefined ? openPlain(server, target) : openDoor(server, endpoint, door);
  const bound = async (): Promise<readonly [port: number, drain: Bound['drain']]> => {
    try {
      return await open();
    } catch (error) {
      throw String(error).includes('EADDRINUSE') ? inUse(target) : error;
    }
  };
  if (endpoint.kind === 'tcp') {
    const [port, drain] = await bound();
    return { endpoint: { ...endpoint, port }, drain };
  }
  const [, drain] = await bindSocket(endpoint.path, bound);
  return { endpoint, drain };
}

function openPlain(server: Server, target: string) {
  return async (): Promise<readonly [port: number, drain: Bound['drain']]> => {
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(target, ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
    const bound = target.replace(/:0$/, `:${port}`);
    return [port, (deadlineMs) => server.drain(bound, deadlineMs)];
  };
}

/** The library gets connections that were let in, and no certificate: it checks none of what a door does. */
function openDoor(server: Server, endpoint: Endpoint, door: TlsDoor) {
  const where = endpoint.kind === 'unix' ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port };
  return async (): Promise<readonly [port: number, drain: Bound['drain']]> => {
    const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    const { port, close } = await door.open(where, (socket) => injector.injectConnection(socket));
    const drain = (deadlineMs: number): void => {
      close();
      injector.drain(deadlineMs);
    };
    return [port, drain];
  };
}
