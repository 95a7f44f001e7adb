import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FIELD_BYTES_MAX, REDACTED, redact, redactText } from '../../src/telemetry/redact.ts';

const NAMES: [name: string, value: unknown, hidden: boolean][] = [
  ['authorization', 'x', true],
  ['Authorization', 'x', true],
  ['proxy-authorization', 'x', true],
  ['x-api-key', 'x', true],
  ['X-API-KEY', 'x', true],
  ['api_key', 'x', true],
  ['apiKey', 'x', true],
  ['cookie', 'x', true],
  ['set-cookie', ['x'], true],
  ['key', 'x', true],
  ['private_key', 'x', true],
  ['clientSecret', 'x', true],
  ['token', 'x', true],
  ['access_token', 'x', true],
  ['tokens', 'x', true],
  ['digest', 'x', true],
  ['pepper', { v1: 'x' }, true],
  ['db_password', 'x', true],
  ['passwd', 'x', true],
  ['PASSWORD', 12345, true],
  ['tokens', 12, false],
  ['output_tokens', 12, false],
  ['gen_ai.token.type', 'input', false],
  ['token_type', 'input', false],
  ['keys', 3, false],
  ['monkey', 'x', false],
  ['account', 'acme', false],
  ['credential', 'k7f3q2', false],
];

for (const [i, [name, value, hidden]] of NAMES.entries()) {
  test(`name ${i + 1}: ${name} of ${typeof value} is ${hidden ? 'hidden' : 'shown'}`, () => {
    assert.deepEqual({ ...(redact({ [name]: value }) as object) }, { [name]: hidden ? REDACTED : value });
  });
}

const TEXTS: [text: string, shown: string][] = [
  ['tg_prod_k7f3q2abcd_0123456789abcdefghijABCDEFGHIJ012345', REDACTED],
  ['key=tg_prod_k7f3q2_0123abc, next', `key=${REDACTED}, next`],
  ['tg_prod_k7f3q2 is the id', 'tg_prod_k7f3q2 is the id'],
  ['Bearer abc.def~+/=', `Bearer ${REDACTED}`],
  ['bearer abc', `bearer ${REDACTED}`],
  ['Basic dXNlcjpwYXNz', `Basic ${REDACTED}`],
  ['eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.sig', REDACTED],
  ['redis://user:hunter2@localhost:6379/0', `redis://user:${REDACTED}@localhost:6379/0`],
  ['postgres://localhost:5432/x', 'postgres://localhost:5432/x'],
  ['GET /v1/models', 'GET /v1/models'],
];

for (const [i, [text, shown]] of TEXTS.entries()) {
  test(`text ${i + 1}: ${text.slice(0, 24)}`, () => assert.equal(redactText(text), shown));
}

test('a string field has at most 1 KiB of UTF-8 and says what was cut', () => {
  assert.equal(redactText('a'.repeat(FIELD_BYTES_MAX)), 'a'.repeat(FIELD_BYTES_MAX));
  assert.match(redactText('a'.repeat(FIELD_BYTES_MAX + 1)), /^a{900,}… \[1 more\]$/);
  assert.match(redactText('a'.repeat(1_000_000)), /… \[998976 more\]$/);
});

test('any text stays in its bound and well-formed', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 3000, size: 'max' }), (text) => {
      const shown = redactText(text);
      assert.ok(Buffer.byteLength(shown) <= FIELD_BYTES_MAX);
      assert.ok(shown.isWellFormed());
    }),
    { seed: 3, numRuns: 200 },
  );
});

test('a secret that crosses the bound is not shown by half', () => {
  const key = 'tg_prod_k7f3q2abcd_0123456789abcdefghijABCDEFGHIJ012345';
  for (let before = FIELD_BYTES_MAX - 80; before < FIELD_BYTES_MAX + 20; before++) {
    assert.doesNotMatch(redactText('a'.repeat(before) + key), /0123/);
  }
});

test('depth, lists and maps are bounded; odd values have a text', () => {
  let deep: unknown = 'end';
  for (let i = 0; i < 50; i++) deep = { deep };
  assert.match(JSON.stringify(redact(deep)), /^(?:\{"deep":){6}"\[deeper\]"\}{6}$/);
  const many = redact(Array.from({ length: 1000 }, (_, i) => i)) as unknown[];
  assert.deepEqual([many.length, many.at(-1)], [65, '[936 more]']);
  assert.equal(redact(Buffer.from('secret')), '[6 bytes]');
  assert.equal(redact(12n), '12');
  assert.deepEqual({ ...(redact(new Map([['token', 'x']])) as object) }, { token: REDACTED });
  const round: Record<string, unknown> = {};
  round['round'] = round;
  assert.match(JSON.stringify(redact(round)), /deeper/);
});
