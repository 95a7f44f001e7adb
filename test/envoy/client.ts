/** A gRPC client as raw as the server: bytes in, bytes out. */
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { type Endpoint, endpointText } from '../../src/policy/endpoint.ts';
import type { Scope } from '../support/scope.ts';

const identity = (bytes: Buffer): Buffer => bytes;

export function clientOf(endpoint: Endpoint, scope: Scope): Client {
  const client = new Client(endpointText(endpoint), credentials.createInsecure(), {
    'grpc.enable_channelz': 0,
    'grpc.use_local_subchannel_pool': 1,
    'grpc.max_receive_message_length': -1,
  });
  scope.after(() => client.close());
  return client;
}

export interface Sent {
  readonly deadlineMs?: number;
  /** Gets a function that cancels the call. */
  readonly cancel?: (cancel: () => void) => void;
}

/** The answer's bytes, or the gRPC error. */
export function call(client: Client, path: string, request: Buffer, sent: Sent = {}): Promise<Buffer | ServiceError> {
  return new Promise((resolve) => {
    const options = sent.deadlineMs === undefined ? {} : { deadline: Date.now() + sent.deadlineMs };
    const running = client.makeUnaryRequest(
      path,
      identity,
      identity,
      request,
      new Metadata(),
      options,
      (error, answer) => {
        resolve(error ?? answer!);
      },
    );
    sent.cancel?.(() => running.cancel());
  });
}

export function openStream(client: Client, path: string) {
  let settle: (end: ServiceError | Buffer) => void = () => {};
  const ended = new Promise<ServiceError | Buffer>((resolve) => {
    settle = resolve;
  });
  const stream = client.makeClientStreamRequest(path, identity, identity, new Metadata(), (error, answer) =>
    settle(error ?? answer!),
  );
  return { stream, ended };
}

export function watch(client: Client, path: string, request: Buffer) {
  return client.makeServerStreamRequest(path, identity, identity, request);
}
