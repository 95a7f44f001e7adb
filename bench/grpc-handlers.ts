/** The handlers that are measured beside each other, and the request that they are asked. */
import type { MethodDefinition } from '@grpc/grpc-js';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import { systemClock } from '../src/core/clock.ts';
import { mintDecisionId, newLedgerId } from '../src/core/ids.ts';
import type { Awaitable } from '../src/core/units.ts';
import type { Call } from '../src/decision/call.ts';
import type { Allow, Decision } from '../src/decision/decision.ts';
import { AUTHORIZATION, serveCheck } from '../src/envoy/check-service.ts';
import type { UnaryMethod } from '../src/envoy/rpc.ts';
import { readCheckRequest } from '../src/envoy/wire/check-request.ts';
import { encodeCheckResponse } from '../src/envoy/wire/check-response.ts';
import { holdToFields } from '../src/ledger/fields.ts';
import { chatBody } from './scan.ts';

const PROTOS = new URL('../protos/', import.meta.url).pathname;
const PATH = `/${AUTHORIZATION}/Check`;

export type Decide = (call: Call) => Awaitable<Decision>;

/** What a client asked for. `headers` without the pseudo headers. */
export interface Asked {
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** Bytes of the body that is asked with everywhere but in `scan`: a short conversation. */
const BODY_BYTES = 2048;

/** A chat call of the bench's caller. */
export function askedOf({ authorization }: { readonly authorization: string }): Asked {
  const headers = [
    ['authorization', authorization],
    ['content-type', 'application/json'],
  ] as const;
  return { path: '/v1/chat/completions', headers, body: chatBody(BODY_BYTES) };
}

type Check = MethodDefinition<object, object>;

export const protoLoader: Check = (
  loadSync('envoy/service/auth/v3/external_auth.proto', {
    includeDirs: [PROTOS],
    keepCase: true,
    longs: String,
    enums: Number,
  })[AUTHORIZATION] as ServiceDefinition
)['Check'] as Check;

/** Headers that Envoy and the usual clients add, and that nobody here reads. */
const AROUND = [
  [':authority', 'api.acme.example'],
  [':scheme', 'https'],
  ['accept', 'application/json'],
  ['user-agent', 'OpenAI/JS 7.57.0'],
  ['x-stainless-lang', 'js'],
  ['x-stainless-os', 'Linux'],
  ['x-stainless-arch', 'x64'],
  ['x-stainless-runtime', 'node'],
  ['x-stainless-retry-count', '0'],
  ['x-forwarded-proto', 'https'],
  ['x-request-id', '5f0c1f3e-5d3b-4a57-9d8f-3c1f1d0a9b11'],
  ['x-envoy-auth-partial-body', 'false'],
] as const;

/** The CheckRequest that Envoy makes of it, with raw headers. */
export function requestOf({ path, headers, body }: Asked): Buffer {
  const all = [[':method', 'POST'], [':path', path], ...AROUND, ...headers] as const;
  return protoLoader.requestSerialize({
    attributes: {
      source: { address: { socket_address: { address: '10.0.0.7', port_value: 40_000 } } },
      destination: { address: { socket_address: { address: '10.0.0.8', port_value: 443 } } },
      request: {
        time: { seconds: 1_790_000_000, nanos: 1 },
        http: {
          id: '1234567890123456789',
          method: 'POST',
          path,
          host: 'api.acme.example',
          scheme: 'https',
          size: body.length,
          protocol: 'HTTP/1.1',
          header_map: { headers: all.map(([key, value]) => ({ key, raw_value: Buffer.from(value) })) },
          raw_body: body,
        },
      },
    },
  });
}

/** Decodes with our codec. Throws if the request is malformed. */
export function decodeOurs(request: Uint8Array): Call {
  const call = readCheckRequest(request, systemClock.monotonicMs() + 1000);
  if ('malformed' in call) throw new Error(call.malformed);
  return call;
}

/** The whole of Tollgate behind the wire, as app.ts registers it. */
export function tollgate(decide: Decide): UnaryMethod {
  const ledgerId = newLedgerId();
  return serveCheck({
    decide,
    withdraw: () => {},
    holdToFields,
    clock: systemClock,
    random: () => 0,
    mintId: () => mintDecisionId(ledgerId, systemClock.nowMs()),
    policyVersion: () => '',
  });
}

/** Decodes the same request and encodes an answer as large with the same codecs; decides nothing. */
export function equalWork(allow: Allow): UnaryMethod {
  const fields = holdToFields(allow.hold);
  const options = { holdToFields: () => fields, jitter: 0 };
  return {
    kind: 'unary',
    path: PATH,
    handle: (request) => {
      decodeOurs(request);
      return encodeCheckResponse(allow, options);
    },
  };
}

/** The same as most services are written: @grpc/proto-loader decodes and encodes. */
export function protoLoaderWork(allow: Allow): UnaryMethod {
  const answer = protoLoader.responseDeserialize(encodeCheckResponse(allow, { holdToFields, jitter: 0 }));
  return {
    kind: 'unary',
    path: PATH,
    handle: (request) => {
      protoLoader.requestDeserialize(Buffer.from(request.buffer, request.byteOffset, request.byteLength));
      return protoLoader.responseSerialize(answer);
    },
  };
}
