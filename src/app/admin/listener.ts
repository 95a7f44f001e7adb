/** The admin port of a process: its server, its tokens, and the thread that reads for it. */
import type { Server } from 'node:http';
import type { ListenOptions } from 'node:net';
import { adminApp } from '../../admin/app.ts';
import { FailureBrake } from '../../admin/brake.ts';
import { Fold } from '../../admin/fold.ts';
import type { AdminPorts } from '../../admin/ports.ts';
import { proverOf } from '../../admin/proof.ts';
import { adminServer, type ServerBounds } from '../../admin/server.ts';
import type { AuditEvent } from '../../core/audit.ts';
import type { Clock } from '../../core/clock.ts';
import { systemCodeOf } from '../../core/errors.ts';
import { programBeside } from '../../core/program.ts';
import { bindSocket, inUse } from '../../envoy/socket.ts';
import type { TlsDoor } from '../../envoy/tls.ts';
import { Desk } from '../../ledger/desk.ts';
import { type Endpoint, endpointText, isLocal } from '../../policy/endpoint.ts';
import type { BookQuestion, BookThreadData } from './book-thread.ts';
import { type AdminParts, adminPorts } from './ports.ts';
import { RoleTokens } from './token-files.ts';

export interface AdminOptions extends AdminParts {
  /** Asks for client certificates; undefined: it is plain. */
  readonly door: TlsDoor | undefined;
  /** For tests. */
  readonly bounds?: Partial<ServerBounds>;
}

export interface AdminListener {
  /** With the real port, where 0 was asked for. */
  readonly endpoint: Endpoint;
  /** Cuts what is under way: nothing here is worth waiting for. */
  close(): Promise<void>;
}

/** Longest search of ledger and audit. */
const READ_MS = 5_000;
/** Searches that may wait, the running one included. */
const READS_MAX = 8;

const THREAD = programBeside(import.meta.url, './book-thread');

/** Listens where `listen.admin` says. Throws `port_in_use`, `secret_unreadable`, `settings_invalid`; undefined: it is off. */
export async function startAdmin(options: AdminOptions): Promise<AdminListener | undefined> {
  const { settings, events, clock, door, bounds } = options;
  const { admin: endpoint } = settings.listen;
  if (endpoint === undefined) return undefined;
  const tokens = await RoleTokens.open(settings.admin.roles, events);
  const books = new Desk<BookQuestion, string | undefined>({
    thread: THREAD,
    data: { ledger: settings.ledger.path, audit: settings.audit.path } satisfies BookThreadData,
    deadlineMs: READ_MS,
    waitingMax: READS_MAX,
    code: 'ledger_unavailable',
    name: 'the reading of the ledger',
  });
  const ports = adminPorts({ ...options, books, tokens: () => tokens.known() });
  const names = new WeakMap<object, string>();
  const tell = refusalTeller(ports, clock);
  const app = adminApp({
    ports,
    metricsFree: isLocal(endpoint) && !settings.admin.roles.has('metrics'),
    prove: proverOf({
      tokens: () => tokens.known(),
      roleNames: new Map([...settings.admin.roles].map(([role, proofs]) => [role, proofs.names])),
      brake: new FailureBrake(),
      nowMs: () => clock.monotonicMs(),
      onFailure: (address) => tell({ who: address, role: 'nobody', object: 'token' }, 'an unknown token'),
    }),
    namesOf: ({ socket }) => [names.get(socket) ?? []].flat(),
    onForbidden: (who, role, verb) => tell({ who, role, object: verb }, 'the role does not have it'),
  });
  const server = adminServer({ app, hosts: settings.admin.hosts, ...(bounds && { bounds }) });
  const enter = (socket: object, name: string): void => {
    names.set(socket, name);
    server.emit('connection', socket);
  };
  const { port, stop } = await listen(server, endpoint, door && { door, enter });
  return {
    endpoint: endpoint.kind === 'tcp' ? { ...endpoint, port } : endpoint,
    close: async () => {
      stop();
      tokens.close();
      server.closeAllConnections();
      await books.close();
    },
  };
}

/** One record a minute of one who is refused one thing, with a count. */
function refusalTeller(ports: AdminPorts, clock: Clock) {
  const fold = new Fold();
  return (event: Pick<AuditEvent, 'who' | 'role' | 'object'>, why: string): void => {
    const count = fold.count(`${event.who} ${event.object}`, clock.monotonicMs());
    if (count === 0) return;
    ports.refused({ ...event, why: count === 1 ? why : `${why}, ${count} times since the record before` });
  };
}

interface BehindDoor {
  readonly door: TlsDoor;
  enter(socket: object, name: string): void;
}

async function listen(
  server: Server,
  endpoint: Endpoint,
  behind: BehindDoor | undefined,
): Promise<{ readonly port: number; readonly stop: () => void }> {
  const where: ListenOptions =
    endpoint.kind === 'unix' ? { path: endpoint.path } : { host: endpoint.host, port: endpoint.port };
  const open = behind === undefined ? () => openPlain(server, where) : () => openDoor(server, where, behind);
  const bound = async () => {
    try {
      return await open();
    } catch (error) {
      throw systemCodeOf(error) === 'EADDRINUSE' ? inUse(endpointText(endpoint)) : error;
    }
  };
  return endpoint.kind === 'unix' ? bindSocket(endpoint.path, bound) : bound();
}

async function openPlain(server: Server, where: ListenOptions) {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, resolve);
  });
  // Connections that the system could not give us: the next may go well.
  server.on('error', () => {});
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return { port, stop: () => void server.close() };
}

/** The server behind a door never listens itself, and must be told to look at the time that its connections take. */
async function openDoor(server: Server, where: ListenOptions, { door, enter }: BehindDoor) {
  const { port, close } = await door.open(where, enter);
  server.emit('listening');
  const stop = (): void => {
    close();
    server.close();
  };
  return { port, stop };
}
