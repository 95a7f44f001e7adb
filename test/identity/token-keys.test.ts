import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { fetchKeySet, KEY_SET_BYTES_MAX } from '../../src/identity/key-fetch.ts';
import { WAITING_MAX } from '../../src/identity/key-ring.ts';
import { KEYS_MAX, readKeySet } from '../../src/identity/key-set.ts';
import { keyServer, keySetOf, type Members, type TestKey, testKey, tokenOf } from '../support/issuer.ts';
import { tempDir } from '../support/temp.ts';
import { until } from '../support/until.ts';
import { CLAIMS, doorOf, issuerEntry } from './token-door.ts';
import { EC, RSA, WEAK } from './token-rows.ts';

const KNOWN = tokenOf(EC, CLAIMS);
const NEXT = testKey('ES256', 'next');
const withKid = (kid: string): string => tokenOf(EC, CLAIMS, { kid });
const setOf = (keys: readonly Members[]): Buffer => Buffer.from(JSON.stringify({ keys }));

describe('J24 what of a key set is used', () => {
  const secret = { kty: 'oct', kid: 'ec', k: 'c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0' };
  const exported = EC.privateKey.export({ format: 'jwk' });
  const twin = testKey('ES256', 'ec');
  const ROWS: readonly [
    what: string,
    keys: readonly unknown[],
    expected: number | undefined,
    dropped: RegExp | undefined,
  ][] = [
    ['two good ones', [EC.jwk, RSA.jwk], 2, undefined],
    ['a symmetric one beside a good one', [EC.jwk, { ...secret, kid: 'x' }], 1, /key 2: symmetric/],
    ['a symmetric one of the same kid', [EC.jwk, secret], 1, /key 2: symmetric/],
    ['a symmetric one alone', [secret], undefined, undefined],
    ['a private one', [RSA.jwk, { ...exported, kid: 'ec' }], 1, /key 2: private/],
    ['RSA with one of its primes', [EC.jwk, { ...RSA.jwk, p: 'AQAB' }], 1, /key 2: private/],
    ['two of one type under one kid: neither', [EC.jwk, twin.jwk, RSA.jwk], 1, /2 keys share kid and type/],
    ['two of different types under one kid', [EC.jwk, { ...RSA.jwk, kid: 'ec' }], 2, undefined],
    ['one for encryption', [EC.jwk, { ...RSA.jwk, use: 'enc' }], 1, undefined],
    ['one that may not verify', [EC.jwk, { ...RSA.jwk, key_ops: ['encrypt'] }], 1, undefined],
    ['one for an algorithm that is not allowed', [EC.jwk, { ...RSA.jwk, alg: 'RS512' }], 1, undefined],
    ['a curve that is not allowed', [EC.jwk, testKey('ES384', 'p384').jwk], 1, undefined],
    ['RSA of 1024 bits', [EC.jwk, WEAK.jwk], 1, /2048 to 8192 bits, found 1024/],
    [
      'RSA with the exponent 1',
      [EC.jwk, { ...RSA.jwk, e: 'AQ' }],
      1,
      /key 2: (?:the RSA exponent is 1|cannot be imported)/,
    ],
    ['a point that is not on the curve', [RSA.jwk, { ...EC.jwk, x: EC.jwk['y'] }], 1, /key 2: cannot be imported/],
    ['no modulus', [EC.jwk, { kty: 'RSA', e: 'AQAB' }], 1, /key 2: cannot be imported/],
    ['a kid that is no text', [EC.jwk, { ...RSA.jwk, kid: 7 }], 1, /`kid` is no short text/],
    ['what is no object', [EC.jwk, null, 'key', 7], 1, /key 2: no object, key 3: no object/],
    ['a type nobody knows', [EC.jwk, { kty: 'AKP', kid: 'q' }, {}], 1, undefined],
    [
      `${KEYS_MAX} keys`,
      Array.from({ length: KEYS_MAX }, (_, i) => ({ ...EC.jwk, kid: `k${i}` })),
      KEYS_MAX,
      undefined,
    ],
    ['one more', Array.from({ length: KEYS_MAX + 1 }, (_, i) => ({ ...EC.jwk, kid: `k${i}` })), undefined, undefined],
    ['none', [], undefined, undefined],
  ];
  for (const [what, keys, size, dropped] of ROWS) {
    test(`J24 ${what}: ${size ?? 'no set'}`, async () => {
      const read = await readKeySet(setOf(keys as Members[]), ['ES256', 'RS256']);
      assert.equal(read?.set.size, size);
      if (dropped === undefined) assert.deepEqual(read?.dropped ?? [], []);
      else assert.match(read!.dropped.join(', '), dropped);
    });
  }

  test('J24 a set that says `keys` twice, or is no object, is none', async () => {
    const keys = JSON.stringify([EC.jwk]);
    for (const text of [`{"keys":[],"keys":${keys}}`, keys, 'null', '', '{"keys":{}}', `\ufeff{"keys":${keys}}`]) {
      assert.equal(await readKeySet(Buffer.from(text), ['ES256']), undefined, text.slice(0, 20));
    }
  });

  test('J24 what is dropped is told, and opens nothing', async (t) => {
    const server = await keyServer(t, [RSA.jwk, { ...exported, kid: 'ec' }]);
    const door = await doorOf(t, [issuerEntry(server.url)]);
    assert.equal(await door.reasonOf(KNOWN), 'credential_signature');
    assert.equal(await door.reasonOf(tokenOf(RSA, CLAIMS)), 'let in');
    assert.deepEqual(door.faults, ['corp dropped: key 2: private']);
  });
});

describe('key sets over time', () => {
  test('I1 down at the start: unavailable, and good as soon as it is there', async (t) => {
    const server = await keyServer(t, []);
    server.answer((_request, response) => void response.writeHead(500).end());
    const door = await doorOf(t, [issuerEntry(server.url)]);
    assert.equal(await door.reasonOf(KNOWN), 'keys_unavailable');
    assert.match(await door.faceOf(KNOWN), /"error_response".*503.*keys_unavailable/);
    assert.equal(server.requests(), 1);
    assert.equal(await door.reasonOf('no-key-of-ours'), 'credential_malformed');
    server.serve([EC.jwk]);
    door.pass(1_000);
    assert.equal(await door.reasonOf(KNOWN), 'let in');
    assert.deepEqual(door.faults, ['corp fetch_failed: expected status 200, found 500']);
  });

  test('I2 down later: the last good set stays, whatever time passes', async (t) => {
    const server = await keyServer(t, [EC.jwk]);
    const door = await doorOf(t, [issuerEntry(server.url)]);
    assert.equal(await door.reasonOf(KNOWN), 'let in');
    await server.stop();
    for (let minutes = 0; minutes < 60; minutes += 11) {
      door.pass(660_000);
      const now = door.nowMs / 1000;
      assert.equal(await door.reasonOf(tokenOf(EC, { ...CLAIMS, iat: now, exp: now + 60 })), 'let in');
    }
    await until('a fault', () => (door.faults.length > 0 ? true : undefined));
    assert.match(door.faults[0]!, /^corp fetch_failed: cannot be read \((?:ECONNREFUSED|UND_ERR_SOCKET)\)$/);
  });

  test('I3 J20 fifty callers at once wait for one fetch', async (t) => {
    const server = await keyServer(t, []);
    server.answer(async (request, response) => {
      await sleep(50);
      keySetOf([EC.jwk])(request, response);
    });
    const door = await doorOf(t, [issuerEntry(server.url)]);
    const tokens = Array.from({ length: 50 }, (_, i) => tokenOf(EC, { ...CLAIMS, sub: `s${i}` }));
    const found = await Promise.all(tokens.map((token) => door.reasonOf(token)));
    assert.ok(found.every((reason) => reason === 'let in'));
    assert.equal(server.requests(), 1);
  });

  test('J20 beyond fifty who wait for a fetch nobody waits: kids of strangers do not fill the decisions under way', async (t) => {
    const server = await keyServer(t, [EC.jwk]);
    const door = await doorOf(t, [issuerEntry(server.url)]);
    assert.equal(await door.reasonOf(KNOWN), 'let in');
    const held: Parameters<RequestListener>[] = [];
    server.answer((...asked) => void held.push(asked));
    door.pass(10_000);
    const waiting = Array.from({ length: WAITING_MAX }, (_, i) => door.reasonOf(withKid(`flood-${i}`)));
    const beyond = Array.from({ length: 500 }, (_, i) => door.reasonOf(withKid(`more-${i}`)));
    assert.deepEqual(new Set(await Promise.all(beyond)), new Set(['keys_unavailable']));
    assert.equal(await door.reasonOf(tokenOf(EC, { ...CLAIMS, sub: 'bob' })), 'let in');
    const [request, response] = await until('the fetch', () => held[0]);
    keySetOf([EC.jwk])(request, response);
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['credential_signature']));
    // No fetch is due: nobody waits, and there is no bound.
    const after = Array.from({ length: 500 }, (_, i) => door.reasonOf(withKid(`after-${i}`)));
    assert.deepEqual(new Set(await Promise.all(after)), new Set(['credential_signature']));
    assert.equal(server.requests(), 2);
  });

  test('I3 a set that never comes is given up after two seconds, and keeps nobody waiting who is known', async (t) => {
    const server = await keyServer(t, [EC.jwk]);
    const door = await doorOf(t, [issuerEntry(server.url)]);
    assert.equal(await door.reasonOf(KNOWN), 'let in');
    server.answer(() => {});
    door.pass(10_000);
    const began = performance.now();
    const stranger = door.reasonOf(withKid('other'));
    assert.equal(await door.reasonOf(tokenOf(EC, { ...CLAIMS, sub: 'bob' })), 'let in');
    assert.equal(door.faults.length, 0);
    assert.equal(await stranger, 'credential_signature');
    assert.ok(performance.now() - began < 10_000);
    assert.deepEqual(door.faults, ['corp fetch_failed: no answer within 2000 ms']);
  });

  test('I5 J20 a thousand kids nobody knows cost one fetch in ten seconds', async (t) => {
    const server = await keyServer(t, [EC.jwk]);
    const door = await doorOf(t, [issuerEntry(server.url)]);
    assert.equal(await door.reasonOf(KNOWN), 'let in');
    for (let second = 0; second < 60; second++) {
      const kids = Array.from({ length: 17 }, (_, i) => withKid(`flood-${second}-${i}`));
      const found = await Promise.all(kids.map((token) => door.reasonOf(token)));
      assert.ok(found.every((reason) => reason === 'credential_signature'));
      door.pass(1_000);
    }
    assert.equal(server.requests(), 6);
  });

  test('I5 a new key is good at its first use, a key that was taken away within minutes not', async (t) => {
    const server = await keyServer(t, [EC.jwk]);
    const door = await doorOf(t, [issuerEntry(server.url)]);
    assert.equal(await door.reasonOf(KNOWN), 'let in');
    server.serve([NEXT.jwk]);
    assert.equal(await door.reasonOf(tokenOf(NEXT, CLAIMS)), 'credential_signature');
    door.pass(10_000);
    assert.equal(await door.reasonOf(tokenOf(NEXT, CLAIMS)), 'let in');
    door.pass(60_000);
    assert.equal(await door.reasonOf(KNOWN), 'credential_signature');
  });

  test('I5 the same where keys have no names', async (t) => {
    const unnamed = ({ jwk }: TestKey): Members => ({ ...jwk, kid: undefined });
    const server = await keyServer(t, [unnamed(RSA)]);
    const door = await doorOf(t, [issuerEntry(server.url)]);
    assert.equal(await door.reasonOf(tokenOf(RSA, CLAIMS, { kid: undefined })), 'let in');
    server.serve([unnamed(EC)]);
    door.pass(10_000);
    assert.equal(await door.reasonOf(tokenOf(EC, CLAIMS, { kid: undefined })), 'let in');
    server.serve([unnamed(EC), unnamed(NEXT)]);
    door.pass(10_000);
    assert.equal(await door.reasonOf(tokenOf(EC, CLAIMS, { kid: 'none' })), 'credential_signature');
    assert.equal(await door.reasonOf(tokenOf(NEXT, CLAIMS, { kid: undefined })), 'credential_signature');
  });

  test('I6 a key that was taken away ends, though nobody asks for another', async (t) => {
    const server = await keyServer(t, [EC.jwk, NEXT.jwk]);
    const door = await doorOf(t, [issuerEntry(server.url)]);
    const later = (): string => tokenOf(EC, { ...CLAIMS, jti: String(door.nowMs) });
    assert.equal(await door.reasonOf(later()), 'let in');
    server.serve([NEXT.jwk]);
    door.pass(300_000);
    assert.equal(await door.reasonOf(later()), 'let in');
    await until('the second fetch', () => (server.requests() === 2 ? true : undefined));
    await until('the end of the key', async () =>
      (await door.reasonOf(later())) === 'credential_signature' ? true : undefined,
    );
  });

  const json =
    (text: string): RequestListener =>
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(text);
    };
  const BAD: readonly [what: string, answer: RequestListener, fault: RegExp][] = [
    ['no keys', json('{"keys":[]}'), /no key set with a usable key/],
    ['garbage', json('<html>'), /no key set with a usable key/],
    ['half of it', json(setOf([NEXT.jwk]).toString().slice(0, -2)), /no key set with a usable key/],
    [
      'HTML',
      (_request, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('{"keys":[]}'),
      /expected JSON, found another content-type/,
    ],
    ['404', (_request, response) => void response.writeHead(404).end(), /expected status 200, found 404/],
    [
      'a redirect',
      (_request, response) => void response.writeHead(302, { location: '/other.json' }).end(),
      /expected status 200, found 302/,
    ],
    ['a connection that breaks', (request) => void request.socket.destroy(), /cannot be read/],
    [
      'a little that unpacks to much',
      (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
        response.end(gzipSync(Buffer.alloc(50_000_000, ' ')));
      },
      /expected at most 262144 bytes/,
    ],
    ['an endless answer', endless, /expected at most 262144 bytes/],
  ];
  for (const [what, answer, fault] of BAD) {
    test(`I4 ${what} changes nothing, and is told`, async (t) => {
      const server = await keyServer(t, [EC.jwk]);
      const door = await doorOf(t, [issuerEntry(server.url)]);
      assert.equal(await door.reasonOf(KNOWN), 'let in');
      server.answer(answer);
      door.pass(10_000);
      assert.equal(await door.reasonOf(withKid('other')), 'credential_signature');
      assert.equal(server.requests(), 2);
      assert.match(door.faults.join(), fault);
      door.pass(60_000);
      assert.equal(await door.reasonOf(KNOWN), 'let in');
    });
  }

  test('I4 of an endless answer no more than a quarter of a mebibyte is taken', async (t) => {
    const server = await keyServer(t, []);
    server.answer(endless);
    await assert.rejects(fetchKeySet({ kind: 'url', url: server.url }), /expected at most 262144 bytes/);
    server.answer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 200_000_000 });
      response.write('{"keys":[');
    });
    await assert.rejects(fetchKeySet({ kind: 'url', url: server.url }), /no answer within 2000 ms/);
  });
});

/** Writes for as long as somebody reads. */
function endless(...[, response]: Parameters<RequestListener>): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const more = (): void => {
    while (!response.destroyed && response.write(' '.repeat(65_536)));
  };
  response.on('drain', more);
  more();
}

describe('key sets in files', () => {
  test('a file below the bundle is read like an answer, and read again for a new kid', async (t) => {
    const dir = await tempDir(t);
    const file = join(dir, 'jwks', 'corp.json');
    await mkdir(dirname(file));
    await writeFile(file, setOf([EC.jwk]));
    const door = await doorOf(t, [issuerEntry(file)]);
    assert.equal(await door.reasonOf(KNOWN), 'let in');
    await writeFile(file, setOf([EC.jwk, NEXT.jwk]));
    door.pass(10_000);
    assert.equal(await door.reasonOf(tokenOf(NEXT, CLAIMS)), 'let in');
  });

  test('what is no file, too large or not there is told', async (t) => {
    const dir = await tempDir(t);
    const large = join(dir, 'large.json');
    await writeFile(large, Buffer.alloc(KEY_SET_BYTES_MAX + 1, ' '));
    await assert.rejects(fetchKeySet({ kind: 'file', path: large }), /at most 262144 bytes/);
    await assert.rejects(fetchKeySet({ kind: 'file', path: dir }), /expected a file|EISDIR/);
    await assert.rejects(fetchKeySet({ kind: 'file', path: join(dir, 'none.json') }), /cannot be read \(ENOENT\)/);
  });
});
