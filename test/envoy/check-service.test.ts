import assert from 'node:assert/strict';
import { constants } from 'node:http2';
import { test } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@grpc/grpc-js';
import { systemClock } from '../../src/core/clock.ts';
import { mintDecisionId } from '../../src/core/ids.ts';
import type { Awaitable } from '../../src/core/units.ts';
import type { Call } from '../../src/decision/call.ts';
import type { Decision } from '../../src/decision/decision.ts';
import { type CheckFault, serveCheck } from '../../src/envoy/check-service.ts';
import { listen } from '../../src/envoy/transport.ts';
import { holdToFields } from '../../src/ledger/fields.ts';
import type { Endpoint } from '../../src/policy/endpoint.ts';
import type { Scope } from '../support/scope.ts';
import { until } from '../support/until.ts';
import { allow, checkRequest, deny, HOLD } from './checks.ts';
import { call, clientOf } from './client.ts';
import { decode } from './protos.ts';
import { frame, HeldConnection, portOf, send, session } from './raw-http2.ts';

const CHECK = '/envoy.service.auth.v3.Authorization/Check';
const REQUEST = checkRequest({ headerMap: [['authorization', 'Bearer tg_prod_x']], body: Buffer.from('{}') });

interface Bench {
  readonly endpoint: Endpoint;
  readonly client: Client;
  /** Decision ids of the holds that were given back. */
  readonly withdrawn: string[];
  readonly faults: CheckFault[];
}

async function serve(scope: Scope, decide: (call: Call) => Awaitable<Decision>): Promise<Bench> {
  const withdrawn: string[] = [];
  const faults: CheckFault[] = [];
  const method = serveCheck({
    decide,
    withdraw: (hold) => withdrawn.push(hold.decisionId),
    holdToFields,
    clock: systemClock,
    random: () => 0,
    mintId: () => mintDecisionId('abcdefgh', systemClock.nowMs()),
    policyVersion: () => 'v1',
    onFault: (fault) => faults.push(fault),
  });
  const listener = await listen({
    endpoint: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    methods: [method],
    receiveBytesMax: 5_242_880,
    clock: systemClock,
  });
  scope.after(() => listener.close({ deadlineMs: 100 }));
  return { endpoint: listener.endpoint, client: clientOf(listener.endpoint, scope), withdrawn, faults };
}

interface Answer {
  readonly status?: { readonly code: number };
  readonly ok_response?: unknown;
  readonly denied_response?: { readonly status: { readonly code: number } };
  readonly error_response?: { readonly status: { readonly code: number }; readonly body: string };
}

async function check(client: Client, request = REQUEST, deadlineMs = 2000): Promise<Answer> {
  const answer = await call(client, CHECK, request, { deadlineMs });
  assert.ok(Buffer.isBuffer(answer), String(answer));
  return decode('envoy.service.auth.v3.CheckResponse', answer) as unknown as Answer;
}

/** Asserts an error that Envoy treats as one, and answers the reason in its body's text. */
function refusedAs503(answer: Answer): string {
  assert.equal(answer.status?.code, 14);
  assert.equal(answer.ok_response, undefined);
  assert.equal(answer.error_response?.status.code, 503);
  return answer.error_response.body;
}

test('an allow and a denial reach the client, decided at once or later', async (t) => {
  let asked: Call | undefined;
  const verdicts: (() => Awaitable<Decision>)[] = [
    () => allow(),
    async () => allow(),
    () => deny(),
    async () => deny(),
  ];
  const { client, withdrawn, faults } = await serve(t, (seen) => {
    asked = seen;
    return verdicts.shift()!();
  });
  for (const code of [0, 0, 8, 8]) assert.equal((await check(client)).status?.code, code);
  assert.equal(asked?.path, '/v1/chat/completions');
  assert.deepEqual(asked?.headers.get('authorization'), ['Bearer tg_prod_x']);
  assert.deepEqual([withdrawn, faults], [[], []]);
});

test('what is not a CheckRequest ends with a gRPC error, undecided', async (t) => {
  const { client, faults } = await serve(t, () => allow());
  const answer = await call(client, CHECK, Buffer.from([0x0a, 0x7f]), { deadlineMs: 2000 });
  assert.equal((answer as { code?: number }).code, 13);
  assert.deepEqual(faults, ['undecodable']);
});

test('a Check about nothing is refused, undecided', async (t) => {
  let decided = 0;
  const { client, faults } = await serve(t, () => {
    decided++;
    return allow();
  });
  assert.match(refusedAs503(await check(client, Buffer.alloc(0))), /check_malformed/);
  assert.deepEqual([decided, faults], [0, ['malformed']]);
});

const FAILURES: readonly [n: number, what: string, decide: () => Awaitable<Decision>, withdrawn: readonly string[]][] =
  [
    [
      1,
      'a decider that throws',
      () => {
        throw new Error('secret');
      },
      [],
    ],
    [2, 'a decider that rejects', () => Promise.reject(new Error('secret')), []],
    [
      3,
      'an allow that cannot be said',
      () => allow({ edits: [{ offset: 0, length: 0, text: ';' }] }),
      [HOLD.decisionId],
    ],
    [4, 'nothing at all', () => undefined as unknown as Decision, []],
    [5, 'an outcome nobody knows', async () => ({ outcome: 'perhaps' }) as unknown as Decision, []],
  ];

for (const [n, what, decide, given] of FAILURES) {
  test(`failure ${n}: ${what} is never an allow`, async (t) => {
    const { client, withdrawn, faults } = await serve(t, decide);
    const body = refusedAs503(await check(client));
    assert.match(body, /internal_error/);
    assert.doesNotMatch(body, /secret/);
    assert.deepEqual([withdrawn, faults], [given, ['failed']]);
  });
}

test('a decision that takes too long is answered without it, in time, and withdrawn when it comes', async (t) => {
  const late = Promise.withResolvers<Decision>();
  const { client, withdrawn, faults } = await serve(t, () => late.promise);
  // In time: the peer's own deadline would have answered it otherwise.
  assert.match(refusedAs503(await check(client, REQUEST, 150)), /deadline_exceeded/);
  assert.deepEqual([withdrawn, faults], [[], ['late']]);
  late.resolve(allow());
  await until('it is withdrawn', () => withdrawn.length > 0);
  assert.deepEqual([withdrawn, faults], [[HOLD.decisionId], ['late']]);
});

test('a late denial has nothing to withdraw', async (t) => {
  const late = Promise.withResolvers<Decision>();
  const { client, withdrawn } = await serve(t, () => late.promise);
  refusedAs503(await check(client, REQUEST, 60));
  late.resolve(deny());
  await setImmediate();
  assert.deepEqual(withdrawn, []);
});

test('an allow decided at once, but behind its deadline, is withdrawn', async (t) => {
  const { client, withdrawn, faults } = await serve(t, () => {
    const end = performance.now() + 120;
    while (performance.now() < end);
    return allow();
  });
  const answer = await call(client, CHECK, REQUEST, { deadlineMs: 60 });
  assert.ok(
    !Buffer.isBuffer(answer) || decode('envoy.service.auth.v3.CheckResponse', answer)['ok_response'] === undefined,
  );
  assert.deepEqual([withdrawn, faults], [[HOLD.decisionId], ['late']]);
});

test('a Check that Envoy cancels is withdrawn when it has been decided', async (t) => {
  const deciding = Promise.withResolvers<void>();
  const decided = Promise.withResolvers<Decision>();
  const { client, withdrawn, faults } = await serve(t, () => {
    deciding.resolve();
    return decided.promise;
  });
  let cancel: () => void = () => {};
  const answer = call(client, CHECK, REQUEST, {
    deadlineMs: 2000,
    cancel: (how) => {
      cancel = how;
    },
  });
  await deciding.promise;
  cancel();
  assert.equal(((await answer) as { code?: number }).code, 1);
  await until('it is told', () => faults.length > 0);
  assert.deepEqual([withdrawn, faults], [[], ['cancelled']]);
  decided.resolve(allow());
  await until('it is withdrawn', () => withdrawn.length > 0);
  assert.deepEqual([withdrawn, faults], [[HOLD.decisionId], ['cancelled']]);
});

test('an allow that was decided at once, but cancelled behind its back, is withdrawn; those that were heard are not', async (t) => {
  let decided = 0;
  const { endpoint, withdrawn, faults } = await serve(t, () => {
    decided++;
    return allow();
  });
  const connection = new HeldConnection(portOf(endpoint));
  const over = await session(endpoint, t, connection);
  for (let i = 0; i < 50; i++) await send(over, { ':path': CHECK }, frame(REQUEST));
  assert.deepEqual([decided, withdrawn, faults], [50, [], []]);
  connection.hold();
  const stream = over.request({
    ':method': 'POST',
    ':path': CHECK,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  stream.end(frame(REQUEST));
  await sleep(20);
  stream.close(constants.NGHTTP2_CANCEL);
  await sleep(20);
  connection.release();
  await sleep(100);
  assert.equal(withdrawn.length, decided - 50);
});

test('a body of 4 MiB passes', async (t) => {
  let bytes = 0;
  const { client } = await serve(t, ({ body }) => {
    bytes = body.length;
    return allow();
  });
  const request = checkRequest({
    headerMap: [['content-type', 'application/json']],
    body: Buffer.alloc(4_194_304, 0x20),
  });
  assert.equal((await check(client, request)).status?.code, 0);
  assert.equal(bytes, 4_194_304);
});
