/** What Envoy lets through to Tollgate and to the provider: paths, headers, keys. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { STUB_KEYS } from '../../tools/stub/keys.ts';
import { headerOf, type StubRecord } from '../../tools/stub/records.ts';
import { needEnvoy } from '../support/envoy.ts';
import { type Answer, type Sent, send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { gatewayOfDouble, type SeenCheck } from './tollgate-double.ts';

const CHAT = '/v1/chat/completions';
const MESSAGES = '/v1/messages';
const CALLER = 'tg_prod_caller_secret';
const body = { model: 'gpt-5', max_tokens: 5, messages: [] };

const need = await needEnvoy();

describe('the front of the gateway', need, async () => {
  if (need.skip !== false) return;
  const { tollgate, gateway } = await gatewayOfDouble(fileScope());

  /** Sends a request; what Tollgate and the provider saw of it, if they did. */
  async function seen(sent: Omit<Sent, 'url'>): Promise<{ answer: Answer; check?: SeenCheck; record?: StubRecord }> {
    const checks = tollgate.checks.length;
    const answer = await send({ url: gateway.url, ...sent });
    const check = tollgate.checks[checks];
    const record = gateway.stub.records().at(-1);
    return { answer, ...(check === undefined ? {} : { check }), ...(record === undefined ? {} : { record }) };
  }

  const canonical = [
    '//v1/chat/completions',
    '/v1//chat///completions',
    '/v1/chat/%63ompletions',
    '/v1/x/../chat/completions',
    '/./v1/chat/completions',
  ];
  for (const path of canonical) {
    test(`${path} is one with the canonical path for all three`, async () => {
      const { answer, check, record } = await seen({ path, body });
      assert.equal(answer.status, 200);
      assert.equal(check?.path, CHAT);
      assert.equal(record?.path, CHAT);
    });
  }

  const refused: readonly (readonly [name: string, sent: Omit<Sent, 'url'>, status: number])[] = [
    ['an escaped slash', { path: '/v1%2fchat/completions', body }, 400],
    ['an escaped slash in capitals', { path: '/v1/chat%2Fcompletions', body }, 400],
    ['an escaped backslash', { path: '/v1/chat%5ccompletions', body }, 400],
    ['an underscore in a header name', { path: CHAT, body, headers: { x_tollgate_account: 'acme' } }, 400],
    ['an unlisted path', { path: '/v1/files', body }, 404],
    ['a listed path with another method', { path: CHAT, method: 'GET' }, 404],
    ['a longer path', { path: `${CHAT}/1`, body }, 404],
    ['another case', { path: '/V1/chat/completions', body }, 404],
    ['an upgrade', { path: CHAT, body, headers: { connection: 'upgrade', upgrade: 'websocket' } }, 403],
    ['65 headers', { path: CHAT, body, headers: many(65) }, 431],
    ['33 kB of headers', { path: CHAT, body, headers: { 'x-large': 'x'.repeat(33_000) } }, 431],
  ];
  for (const [name, sent, status] of refused) {
    test(`${name}: ${status}, and nobody is asked`, async () => {
      const { answer, check, record } = await seen(sent);
      assert.equal(answer.status, status);
      assert.equal(check, undefined);
      assert.equal(record, undefined);
    });
  }

  test('x-tollgate-* and x-envoy-* of a client reach nobody', async () => {
    const headers = {
      'x-tollgate-decision': 'forged',
      'X-Tollgate-Account': 'acme',
      'x-tollgate-edit': '0,0,x;',
      'x-tollgate-edit-size': '1',
      'x-envoy-auth-partial-body': 'false',
      'x-envoy-original-path': '/v1/models',
      'x-envoy-retry-on': '5xx',
      'x-envoy-max-retries': '100',
      'x-envoy-upstream-rq-timeout-ms': '1',
      'x-envoy-internal': 'true',
      'x-forwarded-for': '10.0.0.1',
    };
    const { answer, check, record } = await seen({ path: CHAT, body, headers });
    assert.equal(answer.status, 200);
    const names = (list: readonly (readonly [string, string])[]): string[] => list.map(([name]) => name.toLowerCase());
    const ours = /^x-(tollgate|envoy)-/;
    assert.deepEqual(
      names(check?.headers ?? []).filter((name) => ours.test(name)),
      ['x-envoy-external-address', 'x-envoy-auth-partial-body'],
    );
    assert.deepEqual(headerOf(record!, 'x-tollgate-decision'), [check!.id]);
    assert.deepEqual(
      names(record!.headers).filter((name) => ours.test(name)),
      ['x-tollgate-decision'],
    );
  });

  test('each occurrence of a header is shown to Tollgate, but those that Envoy keeps once are joined', async () => {
    const headers = {
      authorization: ['Bearer one', 'Bearer two'],
      'x-api-key': ['one', 'two'],
      'tollgate-class': ['agentic', 'batch'],
    };
    const { check } = await seen({ path: CHAT, body, headers });
    assert.deepEqual(valuesOf(check, 'authorization'), ['Bearer one,Bearer two']);
    assert.deepEqual(valuesOf(check, 'x-api-key'), ['one', 'two']);
    assert.deepEqual(valuesOf(check, 'tollgate-class'), ['agentic', 'batch']);
    assert.deepEqual(valuesOf(check, ':path'), [CHAT]);
  });

  test('Tollgate is spared what it does not read', async () => {
    const headers = {
      cookie: 'a=b',
      'user-agent': 'x',
      accept: '*/*',
      'accept-encoding': 'gzip',
      'x-stainless-os': 'y',
    };
    const { check } = await seen({ path: CHAT, body, headers });
    for (const name of Object.keys(headers)) assert.deepEqual(valuesOf(check, name), [], name);
    assert.deepEqual(valuesOf(check, 'content-type'), ['application/json']);
  });

  test('a client on loopback is not internal: it cannot choose the request id', async () => {
    const { check } = await seen({ path: CHAT, body, headers: { 'x-request-id': 'chosen' } });
    assert.deepEqual(valuesOf(check, 'x-envoy-internal'), []);
    assert.equal(valuesOf(check, 'x-request-id').length, 1);
    assert.notEqual(valuesOf(check, 'x-request-id')[0], 'chosen');
  });

  test('the provider does not learn who calls from where', async () => {
    const headers = { cookie: 'a=b', 'tollgate-class': 'batch', 'tollgate-run': 'r1', 'tollgate-downgrade': 'refuse' };
    const { check, record } = await seen({ path: CHAT, body, headers: { ...headers, 'x-forwarded-for': '192.0.2.7' } });
    assert.deepEqual(valuesOf(check, 'tollgate-run'), ['r1']);
    for (const name of [...Object.keys(headers), 'x-forwarded-for'])
      assert.deepEqual(headerOf(record!, name), [], name);
  });

  const keyed: readonly (readonly [path: string, sent: Record<string, string>, header: string, value: string])[] = [
    [CHAT, { authorization: `Bearer ${CALLER}` }, 'authorization', `Bearer ${STUB_KEYS.openai}`],
    [CHAT, { 'x-api-key': CALLER }, 'authorization', `Bearer ${STUB_KEYS.openai}`],
    [MESSAGES, { 'x-api-key': CALLER }, 'x-api-key', STUB_KEYS.anthropic],
    [MESSAGES, { authorization: `Bearer ${CALLER}` }, 'x-api-key', STUB_KEYS.anthropic],
    [CHAT, {}, 'authorization', `Bearer ${STUB_KEYS.openai}`],
  ];
  for (const removes of [true, false]) {
    for (const [path, headers, header, value] of keyed) {
      const by = removes ? 'Tollgate and Envoy' : 'Envoy alone';
      test(`${path} with ${Object.keys(headers)[0] ?? 'no key'}: the caller's key is replaced by ${by}`, async () => {
        if (!removes) tollgate.decide(() => ({ allow: {}, remove: [] }));
        const { answer, record } = await seen({ path, body, headers });
        assert.equal(answer.status, 200);
        assert.deepEqual(headerOf(record!, header), [value]);
        assert.ok(!JSON.stringify(record!.headers).includes(CALLER));
      });
    }
  }

  test('the provider is asked for identity encoding, which the usage filters can read', async () => {
    const { record } = await seen({ path: CHAT, body, headers: { 'accept-encoding': 'gzip, br' } });
    assert.deepEqual(headerOf(record!, 'accept-encoding'), ['identity']);
  });

  test('models are listed through the OpenAI cluster, by the same rules', async () => {
    const { answer, check, record } = await seen({
      path: '/v1/models',
      headers: { authorization: `Bearer ${CALLER}` },
    });
    assert.equal(answer.status, 200);
    assert.equal(check?.body.length, 0);
    assert.deepEqual(headerOf(record!, 'authorization'), [`Bearer ${STUB_KEYS.openai}`]);
  });

  test('a denial goes out as Tollgate wrote it, and the provider sees nothing', async () => {
    tollgate.decide(() => ({ deny: 402, body: '{"error":"spent"}' }));
    const { answer, record } = await seen({ path: CHAT, body });
    assert.equal(answer.status, 402);
    assert.equal(answer.text, '{"error":"spent"}');
    assert.equal(record, undefined);
  });
});

function valuesOf(check: SeenCheck | undefined, wanted: string): string[] {
  return (check?.headers ?? []).filter(([name]) => name === wanted).map(([, value]) => value);
}

function many(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-many-${i}`, '1']));
}
