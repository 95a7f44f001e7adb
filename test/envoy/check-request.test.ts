import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TollgateError } from '../../src/core/errors.ts';
import type { Call } from '../../src/decision/call.ts';
import { readCheckRequest } from '../../src/envoy/wire/check-request.ts';
import { READ_HEADERS } from '../../src/envoy/wire/headers.ts';
import { type CheckParts, checkRequest } from './checks.ts';
import { encode, struct } from './protos.ts';

function read(parts: CheckParts): Call {
  const found = readCheckRequest(checkRequest(parts), 77);
  assert.ok(!('malformed' in found), 'malformed' in found ? found.malformed : '');
  return found;
}

test('method, path with its query, deadline and body arrive', () => {
  const call = read({ method: 'GET', path: '/v1/models?a=%20b', body: Buffer.from('{"model":"gpt-5"}') });
  assert.equal(call.method, 'GET');
  assert.equal(call.path, '/v1/models?a=%20b');
  assert.equal(call.deadlineMs, 77);
  assert.equal(Buffer.from(call.body).toString(), '{"model":"gpt-5"}');
  assert.equal(call.partialBody, false);
  assert.equal(call.routeName, undefined);
});

test('the body is a view of the message', () => {
  const message = checkRequest({ body: Buffer.alloc(100_000, 0x61) });
  const call = readCheckRequest(message, 0);
  assert.ok(!('malformed' in call));
  assert.equal(call.body.buffer, message.buffer);
  assert.equal(call.body.length, 100_000);
});

test('a body packed as text serves where there is no raw one, and is empty where there is none', () => {
  assert.equal(Buffer.from(read({ textBody: 'tëxt' }).body).toString(), 'tëxt');
  assert.equal(Buffer.from(read({ textBody: 'text', body: Buffer.from('raw') }).body).toString(), 'raw');
  assert.equal(read({}).body.length, 0);
});

test('headers come one value per occurrence, as latin-1 of their raw bytes', () => {
  const { headers } = read({
    headerMap: [
      ['authorization', 'Bearer a'],
      ['x-other', 'not read'],
      ['authorization', 'Bearer b'],
      ['content-type', Buffer.from([0xc3, 0xa4, 0xff, 0x00])],
      ['x-api-key', ''],
    ],
  });
  assert.deepEqual(headers.get('authorization'), ['Bearer a', 'Bearer b']);
  assert.deepEqual(headers.get('content-type'), ['\u00c3\u00a4\u00ff\u0000']);
  assert.deepEqual(headers.get('x-api-key'), ['']);
  assert.deepEqual(headers.get('x-other'), []);
  assert.deepEqual(headers.get('api-key'), []);
});

test('H3 a credential that Envoy joined stays one value with its comma, so that identity sees two', () => {
  const { headers } = read({ headers: { authorization: 'Bearer a,Bearer b', ':method': 'POST' } });
  assert.deepEqual(headers.get('authorization'), ['Bearer a,Bearer b']);
});

test('both kinds of headers at once add up, so that neither hides the other', () => {
  const { headers } = read({ headers: { 'x-api-key': 'a' }, headerMap: [['x-api-key', 'b']] });
  assert.deepEqual([...headers.get('x-api-key')].sort(), ['a', 'b']);
});

test('H7 names of objects are no headers', () => {
  const { headers } = read({
    headerMap: [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ],
  });
  assert.deepEqual(headers.get('__proto__'), []);
  assert.deepEqual(headers.get('constructor'), []);
});

const PARTIAL: readonly [n: number, values: readonly string[], partial: boolean][] = [
  [1, ['false'], false],
  [2, ['true'], true],
  [3, ['false', 'true'], true],
  [4, ['FALSE'], true],
  [5, [''], true],
];

for (const [n, values, partial] of PARTIAL) {
  test(`H25 partial body ${n}: ${JSON.stringify(values)} means ${partial}`, () => {
    const headerMap = values.map((value) => ['x-envoy-auth-partial-body', value] as const);
    assert.equal(read({ headerMap }).partialBody, partial);
  });
}

const ROUTES: readonly [n: number, parts: CheckParts, route: string | undefined][] = [
  [1, { extensions: { 'tollgate.route': 'chat', other: 'x' } }, 'chat'],
  [2, { routeMetadata: { tollgate: struct({ route: 'chat', more: 1 }) } }, 'chat'],
  [3, { routeMetadata: { foreign: struct({ route: 'chat' }) } }, undefined],
  [4, { routeMetadata: { tollgate: struct({ route: 7 }) } }, undefined],
  [5, { extensions: { 'tollgate.route': 'chat' }, routeMetadata: { tollgate: struct({ route: 'chat' }) } }, 'chat'],
];

for (const [n, parts, route] of ROUTES) {
  test(`route ${n}: ${route}`, () => {
    assert.equal(read(parts).routeName, route);
  });
}

const MALFORMED: readonly [n: number, what: string, message: Buffer, text: RegExp][] = [
  [1, 'nothing', Buffer.alloc(0), /no `attributes.request.http`/],
  [2, 'attributes only', encode('envoy.service.auth.v3.CheckRequest', { attributes: {} }), /no `attributes/],
  [3, 'no http', encode('envoy.service.auth.v3.CheckRequest', { attributes: { request: {} } }), /no `attributes/],
  [4, 'no headers of either kind', checkRequest({ headerMap: [] }), /neither `headers` nor/],
  [5, 'no method', checkRequest({ method: '' }), /no method or no path/],
  [6, 'no path', checkRequest({ path: '' }), /no method or no path/],
  [
    7,
    'two routes',
    checkRequest({ extensions: { 'tollgate.route': 'a' }, routeMetadata: { tollgate: struct({ route: 'b' }) } }),
    /two routes/,
  ],
];

for (const [n, what, message, text] of MALFORMED) {
  test(`H1 H2 malformed ${n}: ${what}`, () => {
    const found = readCheckRequest(message, 0);
    assert.ok('malformed' in found);
    assert.match(found.malformed, text);
  });
}

test('random requests, either kind of headers: what is in READ_HEADERS arrives, in order, and nothing else', () => {
  const name = fc.oneof(
    fc.constantFrom(...READ_HEADERS),
    fc.constantFrom('cookie', 'user-agent', 'x-forwarded-for', 'accept'),
  );
  const value = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 30 }),
      fc.uint8Array({ maxLength: 300 }),
      (headerMap, body) => {
        const call = read({ headerMap, body: Buffer.from(body) });
        for (const header of [...READ_HEADERS, 'cookie'] as const) {
          const wanted = headerMap.filter(([key]) => key === header).map(([, bytes]) => bytes.toString('latin1'));
          assert.deepEqual([...call.headers.get(header)], header === 'cookie' ? [] : wanted);
        }
        assert.deepEqual(Buffer.from(call.body), Buffer.from(body));
      },
    ),
    { seed: 4, numRuns: 200 },
  );
  fc.assert(
    fc.property(fc.dictionary(name, fc.string({ unit: 'grapheme' }), { minKeys: 1 }), (headers) => {
      const call = read({ headers });
      for (const header of READ_HEADERS) {
        const text = headers[header];
        assert.deepEqual(
          [...call.headers.get(header)],
          text === undefined ? [] : [Buffer.from(text).toString('latin1')],
        );
      }
    }),
    { seed: 5, numRuns: 150 },
  );
});

/** What any bytes may lead to: a call, a malformed one, or `wire_invalid`. */
function judge(message: Uint8Array): 'call' | 'malformed' | 'invalid' {
  try {
    return 'malformed' in readCheckRequest(message, 0) ? 'malformed' : 'call';
  } catch (error) {
    assert.ok(error instanceof TollgateError && error.code === 'wire_invalid', String(error));
    return 'invalid';
  }
}

const WHOLE = checkRequest({
  headerMap: [
    ['authorization', 'Bearer tg_prod_x'],
    ['content-type', 'application/json'],
  ],
  body: Buffer.from('{"model":"gpt-5","messages":[]}'),
  extensions: { 'tollgate.route': 'chat' },
  routeMetadata: { tollgate: struct({ route: 'chat' }) },
});

test('a request cut anywhere is never a call', () => {
  assert.equal(judge(WHOLE), 'call');
  for (let length = 0; length < WHOLE.length; length++) {
    assert.notEqual(judge(WHOLE.subarray(0, length)), 'call', `cut at ${length}`);
  }
});

test('flipped, spliced and random bytes never do anything else', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(WHOLE.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (flips) => {
      const message = Buffer.from(WHOLE);
      for (const [at, byte] of flips) message[at] = byte;
      assert.ok(judge(message));
    }),
    { seed: 6, numRuns: 4000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => assert.ok(judge(bytes))),
    { seed: 7, numRuns: 2000 },
  );
});

test('unknown fields and their order change nothing', () => {
  const unknown = Buffer.from([0xfa, 0x3e, 0x02, 0x61, 0x62, 0xf8, 0x3e, 0x05]);
  const call = readCheckRequest(Buffer.concat([unknown, WHOLE, unknown]), 0);
  assert.ok(!('malformed' in call));
  assert.equal(call.routeName, 'chat');
});
