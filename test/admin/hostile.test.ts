import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { FAILURES_PER_SECOND } from '../../src/admin/brake.ts';
import { BOUNDS } from '../../src/admin/server.ts';
import { sendRaw } from '../support/raw.ts';
import { fileScope } from '../support/scope.ts';
import { until } from '../support/until.ts';
import { type AdminRig, adminFor, TOKENS } from './rig.ts';

const scope = fileScope();
let rig: AdminRig;
before(async () => {
  rig = await adminFor(scope, { settings: 'audit: {path: data/audit.db}\n' });
});

/** The head and body of one request as text. */
function raw(lines: readonly string[], body = ''): Buffer {
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1');
}

async function statusOf(bytes: Buffer): Promise<number | undefined> {
  return (await sendRaw(rig.url, bytes))[0]?.status;
}

const HOSTS: readonly [host: string, status: number][] = [
  ['localhost', 200],
  ['localhost:18082', 200],
  ['LOCALHOST', 200],
  ['127.0.0.1', 200],
  ['127.0.0.1:1', 200],
  ['127.9.9.9', 200],
  ['[::1]:5', 200],
  ['evil.example', 421],
  ['localhost.evil.example', 421],
  ['127.0.0.1.evil.example', 421],
  ['127.0.0.1@evil.example', 421],
  ['169.254.169.254', 421],
  ['10.0.0.1', 421],
  ['[::2]', 421],
  ['localhost:port', 421],
  ['localhost:1:2', 421],
  ['', 421],
];

for (const [host, status] of HOSTS) {
  test(`A1: host \`${host}\` is told ${status}`, async () => {
    assert.equal(await statusOf(raw(['GET /version HTTP/1.1', `Host: ${host}`])), status);
  });
}

test('A1: a host that is configured is known, none is not, and two are none', async (t) => {
  const named = await adminFor(t, { settings: '', roles: [], files: {} });
  assert.equal((await named.ask(undefined, { path: '/version', headers: { host: 'tollgate.internal' } })).status, 421);
  assert.equal(await statusOf(raw(['GET /version HTTP/1.0'])), 421);
  assert.equal(await statusOf(raw(['GET /version HTTP/1.1'])), 400);
  assert.equal(await statusOf(raw(['GET /version HTTP/1.1', 'Host: localhost', 'Host: evil.example'])), 400);
  const known = await adminFor(t, { roles: [], settings: 'admin: {hosts: [Tollgate.internal]}\n' });
  assert.equal(
    (await known.ask(undefined, { path: '/version', headers: { host: 'tollgate.internal:1' } })).status,
    200,
  );
});

const CHANGES: readonly [what: string, headers: Record<string, string>, status: number][] = [
  ['as a tool sends it', { 'content-type': 'application/json' }, 200],
  ['with a charset', { 'content-type': 'application/json; charset=utf-8' }, 200],
  ['from a page of this origin', { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' }, 200],
  ['as a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
  ['as plain text', { 'content-type': 'text/plain' }, 415],
  ['as text that names JSON', { 'content-type': 'text/plain; application/json' }, 415],
  ['as JSON and more', { 'content-type': 'application/json, text/plain' }, 415],
  ['as JSON of another charset', { 'content-type': 'application/json; charset=utf-16' }, 415],
  ['from another origin', { 'content-type': 'application/json', origin: 'https://evil.example' }, 403],
  ['from a sandbox', { 'content-type': 'application/json', origin: 'null' }, 403],
  ['from another port', { 'content-type': 'application/json', origin: 'http://127.0.0.1:1' }, 403],
  ['across sites', { 'content-type': 'application/json', 'sec-fetch-site': 'cross-site' }, 403],
  ['across origins', { 'content-type': 'application/json', 'sec-fetch-site': 'same-site' }, 403],
];

for (const [what, headers, status] of CHANGES) {
  test(`A2: a change ${what} is told ${status}, whoever asks`, async () => {
    const sent = { path: '/v1/policy/reload', method: 'POST', headers, body: '{}' };
    assert.equal((await rig.ask('platform', sent)).status, status);
  });
}

const PIECES: readonly [what: string, headers: readonly string[], body: string][] = [
  ['without a body', [], ''],
  ['whose body has no bytes', ['Content-Length: 0'], ''],
  ['in chunks', ['Transfer-Encoding: chunked'], '2\r\n{}\r\n0\r\n\r\n'],
  ['in no chunk', ['Transfer-Encoding: chunked'], '0\r\n\r\n'],
];

for (const [what, headers, body] of PIECES) {
  test(`A2: a change ${what} is made, as any other`, async () => {
    const own = ['Host: localhost', `Authorization: Bearer ${TOKENS.platform}`, 'Content-Type: application/json'];
    assert.equal(await statusOf(raw(['POST /v1/policy/reload HTTP/1.1', ...own, ...headers], body)), 200);
  });
}

test('A2: nothing changes by GET, and a cookie is no credential', async () => {
  assert.equal((await rig.ask('platform', { path: '/v1/policy/reload' })).status, 405);
  const cookie = `authorization=Bearer ${TOKENS.security}`;
  assert.equal((await rig.ask(undefined, { path: '/v1/keys', headers: { cookie } })).status, 401);
});

test('A3: every answer says that it is no page: not framed, not sniffed, not kept', async () => {
  const answers = [
    await rig.ask(undefined, { path: '/livez' }),
    await rig.ask('security', { path: '/v1/keys' }),
    await rig.ask(undefined, { path: '/v1/keys' }),
    await rig.ask('security', { path: '/nothing' }),
    await rig.ask(undefined, { path: '/livez', headers: { host: 'evil.example' } }),
    await rig.ask('security', { path: '/v1/keys', method: 'DELETE', body: {} }),
  ];
  for (const [index, { headers }] of answers.entries()) {
    assert.match(String(headers['content-security-policy']), /default-src 'self'.*frame-ancestors 'none'/, `${index}`);
    assert.equal(headers['x-content-type-options'], 'nosniff', `${index}`);
    assert.equal(headers['x-frame-options'], 'DENY', `${index}`);
    assert.equal(headers['cache-control'], 'no-store', `${index}`);
    assert.match(String(headers['content-type']), /^(application|text\/plain)/, `${index}`);
    assert.equal(headers['x-powered-by'], undefined, `${index}`);
  }
});

const PATHS: readonly [path: string, status: number][] = [
  ['/../../etc/passwd', 400],
  ['/v1/accounts/..', 400],
  ['/v1/accounts/%2e%2e/%2e%2e', 400],
  ['/v1/accounts/..%2f..%2fkeys', 400],
  ['/v1/accounts/acme%00', 400],
  ['/v1/accounts/acme%2fsearch', 400],
  ['/v1/accounts/..\\..\\keys', 400],
  ['//v1/accounts', 400],
  ['/v1//accounts', 400],
  ['/v1/accounts/', 400],
  ['/v1/accounts;x', 400],
  ['http://evil.example/v1/accounts', 400],
  ['*', 400],
  [`/${'a'.repeat(3000)}`, 400],
  ['/keys/search.yaml', 404],
  ['/pepper', 404],
  ['/security', 404],
];

for (const [path, status] of PATHS) {
  test(`A4: path \`${path.slice(0, 40)}\` leads to no file: ${status}`, async () => {
    const lines = [`GET ${path} HTTP/1.1`, 'Host: localhost', `Authorization: Bearer ${TOKENS.security}`];
    assert.equal(await statusOf(raw(lines)), status);
  });
}

const MALFORMED: readonly [what: string, bytes: Buffer, status: number | undefined][] = [
  ['no HTTP', Buffer.from('hello\r\n\r\n'), 400],
  ['TLS to a plain port', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]), 400],
  ['a method of nobody', raw(['BREW /version HTTP/1.1', 'Host: localhost']), 400],
  ['another version', raw(['GET /version HTTP/3.0', 'Host: localhost']), 400],
  ['a bare line feed in a value', raw(['GET /version HTTP/1.1', 'Host: localhost', 'X: a\nb']), 400],
  ['a folded header', raw(['GET /version HTTP/1.1', 'Host: localhost', 'X: a', ' b']), 400],
  ['a space before the colon', raw(['GET /version HTTP/1.1', 'Host : localhost']), 400],
  ['NUL in a value', raw(['GET /version HTTP/1.1', 'Host: localhost', 'X: \0']), 400],
  [
    'a length and chunks',
    raw(['POST /v1/keys HTTP/1.1', 'Host: localhost', 'Content-Length: 4', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
    400,
  ],
  [
    'two lengths',
    raw(['POST /v1/keys HTTP/1.1', 'Host: localhost', 'Content-Length: 2', 'Content-Length: 3'], '{}'),
    400,
  ],
  ['a length below nothing', raw(['POST /v1/keys HTTP/1.1', 'Host: localhost', 'Content-Length: -1']), 400],
  [
    'chunks that are none',
    raw(
      ['POST /v1/keys HTTP/1.1', 'Host: localhost', 'Transfer-Encoding: chunked', 'Content-Type: application/json'],
      'zz\r\n',
    ),
    400,
  ],
  ['two tokens', raw(['GET /v1/keys HTTP/1.1', 'Host: localhost', 'Authorization: a', 'Authorization: b']), 400],
  ['a tunnel', raw(['CONNECT localhost:22 HTTP/1.1', 'Host: localhost']), 400],
  ['an upgrade', raw(['GET /version HTTP/1.1', 'Host: localhost', 'Connection: upgrade', 'Upgrade: websocket']), 400],
  ['a head that is too long', raw(['GET /version HTTP/1.1', 'Host: localhost', `X: ${'x'.repeat(20_000)}`]), 431],
  [
    'too many headers',
    raw(['GET /version HTTP/1.1', 'Host: localhost', ...Array.from({ length: 60 }, (_, at) => `X${at}: 1`)]),
    431,
  ],
  [
    'one header too many',
    raw(['GET /version HTTP/1.1', 'Host: localhost', ...Array.from({ length: 50 }, (_, at) => `X${at}: 1`)]),
    431,
  ],
  [
    'as many headers as there may be',
    raw(['GET /version HTTP/1.1', 'Host: localhost', ...Array(49).fill('X: 1')]),
    200,
  ],
];

for (const [what, bytes, status] of MALFORMED) {
  test(`A8: ${what} is told ${status}, and the next one is answered`, async () => {
    assert.equal(await statusOf(bytes), status);
    assert.equal((await rig.ask(undefined, { path: '/livez' })).status, 200);
  });
}

test('A8: what follows a refused request on its connection is not read as another', async () => {
  const smuggled = raw(
    ['POST /v1/keys HTTP/1.1', 'Host: evil.example', 'Content-Length: 5', 'Content-Type: application/json'],
    'AAAAAGET /version HTTP/1.1\r\nHost: localhost\r\n\r\n',
  );
  const answers = await sendRaw(rig.url, smuggled, { count: 2 });
  assert.deepEqual(
    answers.map(({ status }) => status),
    [421],
  );
});

test('A8: a body of more than 64 KiB is told 413, by its length or as it comes', async () => {
  const body = JSON.stringify({ account: 'a'.repeat(70_000) });
  for (const chunked of [false, true]) {
    assert.equal((await rig.ask('security', { path: '/v1/keys', method: 'POST', body, chunked })).status, 413);
  }
});

test('A8: the bounds are those of the row', () => {
  assert.deepEqual([BOUNDS.headersMs, BOUNDS.requestMs], [5_000, 10_000]);
});

test('A8: who holds connections and says nothing, or half a request, keeps nobody out', async (t) => {
  const bounds = { connectionsMax: 20 };
  const held = await adminFor(t, { roles: ['security'], bounds });
  const port = Number(new URL(held.url).port);
  const half = `POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKENS.security}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{`;
  const sockets = Array.from({ length: 60 }, (_, at) => {
    const socket = connect(port, '127.0.0.1').on('error', () => {});
    socket.resume().write(at % 2 === 0 ? half : '');
    return socket;
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  await Promise.all(sockets.map((socket) => socket.closed || !socket.connecting || once(socket, 'connect')));
  for (let asked = 0; asked < 30; asked++) {
    assert.equal((await held.ask(undefined, { path: '/livez' })).status, 200);
  }
  assert.ok(sockets.filter(({ closed }) => !closed).length < bounds.connectionsMax);
});

test('A8: slow heads and slow bodies are cut, and many of them keep nobody out', async (t) => {
  const bounds = { headersMs: 150, requestMs: 300, checkMs: 25, connectionsMax: 20 };
  const slow = await adminFor(t, { roles: ['security'], bounds });
  const port = Number(new URL(slow.url).port);
  const heads = [
    'GET /version HTTP/1.1\r\nHost: loc',
    `POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKENS.security}\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{`,
  ];
  const ends = heads.flatMap((head) =>
    Array.from({ length: 10 }, async () => {
      const socket = connect(port, '127.0.0.1');
      let text = '';
      socket.on('data', (part) => (text += part.toString()));
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(head);
      const drip = setInterval(() => socket.write('a'), 40);
      await once(socket, 'close');
      clearInterval(drip);
      return text;
    }),
  );
  for (const text of await Promise.all(ends)) assert.match(text, /^HTTP\/1\.1 408 |^$/);
  assert.equal((await slow.ask(undefined, { path: '/livez' })).status, 200);
});

test('A9: there is no heap, profile or debugger to ask for', async () => {
  for (const path of [
    '/debug/pprof',
    '/debug/pprof/heap',
    '/heapdump',
    '/json',
    '/json/list',
    '/quitquitquit',
    '/v1/heap',
    '/stats',
  ]) {
    for (const role of [undefined, 'security', 'platform'] as const) {
      assert.equal((await rig.ask(role, { path })).status, 404, path);
    }
  }
});

test('A10: unknown tokens are told apart by nothing, and in a record', async (t) => {
  const guessed = await adminFor(t, { roles: ['security'] });
  const tries = ['x'.repeat(32), `${TOKENS.security}0`, TOKENS.security.slice(0, -1), TOKENS.finance];
  const texts = new Set<string>();
  for (const token of tries) {
    const answer = await guessed.ask(undefined, { path: '/v1/keys', headers: { authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 401);
    texts.add(answer.text);
  }
  for (const authorization of ['Basic eDp5', 'Bearer', `Bearer  ${TOKENS.security}`, `Bearer ${'y'.repeat(600)}`]) {
    const answer = await guessed.ask(undefined, { path: '/v1/keys', headers: { authorization } });
    assert.ok(answer.status === 401 || answer.status === 429);
  }
  assert.equal(texts.size, 1);
  const record = await until('a record', () => guessed.records()[0]);
  assert.deepEqual(
    [record.verb, record.role, record.who, record.object, record.outcome],
    ['admin_refused', 'nobody', '127.0.0.1', 'token', 'refused'],
  );
});

test('A10: after 5 in a second none is looked at, not even the right one; then it is', async (t) => {
  const flooded = await adminFor(t, { roles: ['security'] });
  const guess = () =>
    flooded.ask(undefined, { path: '/v1/keys', headers: { authorization: `Bearer ${'g'.repeat(40)}` } });
  const answers = await Promise.all(Array.from({ length: 40 }, guess));
  const seen = answers.filter(({ status }) => status === 401).length;
  assert.equal(seen, FAILURES_PER_SECOND);
  const braked = answers.find(({ status }) => status === 429)!;
  assert.equal(braked.headers['retry-after'], '1');
  assert.equal((await flooded.ask(undefined, { path: '/livez' })).status, 200);
  await until('the brake is off', async () => (await flooded.ask('security', { path: '/v1/keys' })).status === 200, {
    everyMs: 100,
  });
  await sleep(50);
  assert.equal(flooded.records().filter(({ object }) => object === 'token').length, 1);
});

test('A10: of a token nothing is kept but its hash', async () => {
  for (const answer of [
    await rig.ask('security', { path: '/v1/config' }),
    await rig.ask('security', { path: '/v1/audit' }),
  ]) {
    for (const token of Object.values(TOKENS)) assert.ok(!answer.text.includes(token));
  }
});
