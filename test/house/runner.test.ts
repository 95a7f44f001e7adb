import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { select, withNeedsMet } from '../../tools/test.ts';

const RUNNER = join(import.meta.dirname, '../../tools/test.ts');
const FILES = ['test/limits/window.test.ts', 'test/core/ids.test.ts', 'test/e2e/chat.test.ts'];

/** NODE_TEST_CONTEXT would make the inner run report to the outer one. */
function run(words: string[], env: Record<string, string> = {}) {
  const { NODE_TEST_CONTEXT: _, ...rest } = process.env;
  return spawnSync(process.execPath, [RUNNER, ...words], { encoding: 'utf8', env: { ...rest, ...env } });
}

test('1 without words every file, in order', () => {
  assert.deepEqual(select(FILES, []), [FILES[1], FILES[2], FILES[0]]);
});

test('2 words are parts of paths', () => {
  assert.deepEqual(select(FILES, ['limits/', './test/core/ids']), [FILES[1], FILES[0]]);
  assert.deepEqual(select(FILES, ['nowhere']), []);
});

test('3 a word that matches nothing is an error, not a pass', () => {
  const { status, stderr } = run(['no-such-file']);
  assert.equal(status, 1);
  assert.match(stderr, /no test file matches `no-such-file`/);
});

test('4 a chosen file runs, and its summary closes the output', () => {
  const { status, stdout } = run(['house/arrows']);
  assert.equal(status, 0);
  assert.match(stdout, /pass \d+/);
});

test('5 where Envoy is missing: left out aloud at a desk, an error in CI', async (t) => {
  const before = process.env['ENVOY_BIN'];
  process.env['ENVOY_BIN'] = join(import.meta.dirname, 'no-envoy-here');
  t.after(() => {
    if (before === undefined) delete process.env['ENVOY_BIN'];
    else process.env['ENVOY_BIN'] = before;
  });
  const said: string[] = [];
  const say = (line: string) => said.push(line);
  assert.deepEqual(await withNeedsMet(FILES, { ci: false, say }), FILES.slice(0, 2));
  assert.match(said[0]!, /^Envoy is missing: ENVOY_BIN is .*no-envoy-here`/);
  assert.equal(said[1], `SKIPPED for want of Envoy: ${FILES[2]}`);
  await assert.rejects(withNeedsMet(FILES, { ci: true, say }), /1 test files need Envoy, and CI=true skips nothing/);
  assert.deepEqual(await withNeedsMet(FILES.slice(0, 2), { ci: true, say }), FILES.slice(0, 2));
});
