import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundleWith } from '../policy/bundles.ts';
import { runCli } from '../support/process.ts';

test('what differs stands under whom it is good or bad for, with whose files it is in', async (t) => {
  const [old, next] = [await bundleWith(t, { base: 'example' }), await bundleWith(t, { base: 'example' })];
  const plans = join(next, 'plans.yaml');
  await writeFile(plans, (await readFile(plans, 'utf8')).replace('500 USD per month', '400 USD per month'));
  await writeFile(join(next, 'tollgate.yaml'), 'log: debug\n');
  const { code, stdout, stderr } = await runCli(t, ['diff', old, next]);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(
    stdout,
    /^old: version [0-9a-f]{16}\nnew: version [0-9a-f]{16}\nfiles\n {2}finance {3}plans\.yaml {5}changed\n {2}platform {2}tollgate\.yaml {2}added\nlose\n {2}account {4}limit `monthly-spend` lowered: 500\.00 USD per month → 400\.00 USD per month: acme\n$/,
  );
  const json = await runCli(t, ['diff', old, next, '--json']);
  const { files, changes } = JSON.parse(json.stdout) as { files: unknown[]; changes: { examples: string[] }[] };
  assert.equal(files.length, 2);
  assert.deepEqual(
    changes.map(({ examples }) => examples),
    [['acme']],
  );
});

test('no difference is said; a bundle that is not valid is not compared', async (t) => {
  const old = await bundleWith(t, { base: 'example' });
  const same = await runCli(t, ['diff', old, old]);
  assert.equal(same.code, 0);
  assert.match(same.stdout, /\nno difference\n$/);
  const bad = await bundleWith(t, { base: 'example', files: { 'plans.yaml': 'plans: [\n' } });
  const { code, stderr } = await runCli(t, ['diff', old, bad]);
  assert.equal(code, 1);
  assert.match(stderr, /^tollgate: bundle `[^`]+` has problems; `tollgate check [^`]+` shows them\n$/);
});
