import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { TollgateError } from '../../src/core/errors.ts';
import { newPepperText, parsePepper, peppersOf } from '../../src/identity/peppers.ts';

const HEX = '0123456789abcdef'.repeat(4);

test('1 a new one reads back, 32 bytes, and no two are alike', () => {
  const text = newPepperText();
  assert.match(text, /^[0-9a-f]{64}\n$/);
  assert.equal(parsePepper(text)?.symmetricKeySize, 32);
  assert.notEqual(text, newPepperText());
  assert.ok(parsePepper(HEX)?.equals(parsePepper(HEX.toUpperCase())!));
});

const BAD: [what: string, text: string][] = [
  ['empty', ''],
  ['a line feed', '\n'],
  ['too short', HEX.slice(1)],
  ['too long', `${HEX}0`],
  ['not hex', `g${HEX.slice(1)}`],
  ['CRLF', `${HEX}\r\n`],
  ['two line feeds', `${HEX}\n\n`],
  ['two lines', `${HEX}\n${HEX}\n`],
  ['a space before', ` ${HEX}`],
];
for (const [i, [what, text]] of BAD.entries()) {
  test(`2.${i + 1} ${what} is no pepper`, () => assert.equal(parsePepper(text), undefined));
}

test('3 files by version; the newest is the highest number, not the last name', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tollgate-pepper-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const files = new Map(['v2', 'v10', 'v9'].map((version) => [version, join(dir, version)]));
  for (const file of files.values()) writeFileSync(file, newPepperText());
  const peppers = peppersOf(files);
  assert.equal(peppers.newest, 'v10');
  assert.deepEqual([...peppers.byVersion.keys()], ['v2', 'v10', 'v9']);
});

test('4 a file that is missing or bad is named, with a remedy; its content is not', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tollgate-pepper-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const refused = (file: string, pattern: RegExp) =>
    assert.throws(
      () => peppersOf(new Map([['v1', file]])),
      (error) =>
        error instanceof TollgateError &&
        error.code === 'secret_unreadable' &&
        pattern.test(error.message) &&
        !/hunter2/.test(error.message),
    );
  const bad = join(dir, 'bad');
  writeFileSync(bad, 'hunter2');
  refused(join(dir, 'none'), /none` cannot be read; `tollgate keys pepper .*none` makes one$/);
  refused(dir, /cannot be read/);
  refused(bad, /bad`: expected 64 hex digits and nothing else$/);
  writeFileSync(bad, `${HEX}${' '.repeat(2000)}`);
  refused(bad, /expected 64 hex digits/);
});

test('5 no pepper is allowed: then there is none to digest under', () => {
  assert.deepEqual(peppersOf(new Map()), { newest: undefined, byVersion: new Map() });
});
