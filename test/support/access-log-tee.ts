import { once } from 'node:events';
import { join } from 'node:path';
import { Client, type ClientWritableStream, credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { readAccessLog } from '../../src/envoy/wire/access-log.ts';
import type { LogEntry } from '../../src/metering/entry.ts';
import type { Scope } from './scope.ts';
import { tempDir } from './temp.ts';
import { until } from './until.ts';

/** Stands between Envoy and Tollgate's access log: passes everything on as it comes, and remembers it. */
export interface AccessLogTee {
  /** Unix socket for Envoy. */
  readonly path: string;
  /** Where to pass it on; to be told before the first entry. */
  to(socket: string): void;
  /** The `end` entry of a decision as Envoy sent it; rejects after 10 s. */
  entryOf(decisionId: string): Promise<LogEntry>;
  /** All that Envoy has sent so far. */
  bytes(): Buffer;
  /** Sends all messages again on a stream of its own, the newest first; resolves when Tollgate has taken them. */
  replay(): Promise<void>;
}

const PATH = '/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs';
const identity = (bytes: Buffer): Buffer => bytes;

export async function startTee(scope: Scope): Promise<AccessLogTee> {
  const path = join(await tempDir(scope), 'tee');
  const messages: Buffer[] = [];
  const clients: Client[] = [];
  let target: string | undefined;

  function open(): { stream: ClientWritableStream<Buffer>; taken: Promise<void> } {
    const client = new Client(`unix:${target}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
    clients.push(client);
    const answered = Promise.withResolvers<void>();
    const stream = client.makeClientStreamRequest(PATH, identity, identity, new Metadata(), (error) =>
      error === null ? answered.resolve() : answered.reject(error),
    );
    // Where nobody waits for the answer, a Tollgate that goes away is no failure of the test.
    answered.promise.catch(() => undefined);
    stream.on('error', () => undefined);
    return { stream, taken: answered.promise };
  }

  const server = new Server();
  const definition = { path: PATH, requestStream: true, responseStream: false };
  const wire = { requestSerialize: identity, requestDeserialize: identity };
  const answer = { responseSerialize: identity, responseDeserialize: identity };
  server.addService(
    { log: { ...definition, ...wire, ...answer } },
    {
      log: (call: NodeJS.EventEmitter) => {
        const { stream } = open();
        call.on('data', (message: Buffer) => {
          messages.push(message);
          stream.write(message);
        });
        call.on('end', () => stream.end());
        call.on('error', () => stream.cancel());
        call.on('cancelled', () => stream.cancel());
      },
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
      error === null ? resolve() : reject(error),
    );
  });
  scope.after(() => {
    for (const client of clients) client.close();
    server.forceShutdown();
  });

  return {
    path,
    to: (socket) => {
      target = socket;
    },
    entryOf: (decisionId) =>
      until(`access-log entry of ${decisionId}`, () =>
        messages
          .flatMap((message) => readAccessLog(message).entries)
          .find((entry) => entry.kind === 'end' && entry.decision?.get('decision_id') === decisionId),
      ),
    bytes: () => Buffer.concat(messages),
    async replay() {
      const { stream, taken } = open();
      for (const message of messages.toReversed()) {
        if (!stream.write(message)) await once(stream, 'drain');
      }
      stream.end();
      await taken;
    },
  };
}
