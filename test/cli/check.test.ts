/** `tollgate check`: what it prints of bundles; what is wrong with them is for test/policy. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { BUNDLES, bundleWith } from '../policy/bundles.ts';
import { runCli } from '../support/process.ts';

test('a valid bundle: its version, exit 0', async (t) => {
  const { code, stdout } = await runCli(t, ['check', join(BUNDLES, 'example')]);
  assert.match(stdout, /^0 errors, 0 warnings\nvalid: version [0-9a-f]{16}\n$/);
  assert.equal(code, 0);
});

test('an invalid one: a line each in the order of the files, exit 1', async (t) => {
  const dir = await bundleWith(t, { overlay: 'bad/ladder-other-provider' });
  const { code, stdout } = await runCli(t, ['check', dir]);
  assert.equal(
    stdout,
    [
      'plans.yaml:12:54: error ladder-provider: `plans.growth.ladder[0].use`: expected a model of provider `openai`, found `small` of provider `other` [PR.AA-05]',
      'plans.yaml:14:54: error ladder-provider: `plans.growth.ladder[2].use`: expected a model of provider `other`, found `tiny` of provider `openai` [PR.AA-05]',
      'plans.yaml:20:5: warning cost-missing: `prices.standard.small`: model `small` has no cost under provider `other` [GV.OC-04]',
      '2 errors, 1 warning\n',
    ].join('\n'),
  );
  assert.equal(code, 1);
});

test('--json is for programs', async (t) => {
  const dir = await bundleWith(t, { overlay: 'bad/unknown-key' });
  const { code, stdout } = await runCli(t, ['check', dir, '--json']);
  const { valid, version, problems, warnings } = JSON.parse(stdout);
  assert.equal(code, 1);
  assert.deepEqual([valid, warnings.length, typeof version], [false, 0, 'string']);
  assert.deepEqual(problems, [
    {
      file: 'plans.yaml',
      line: 9,
      column: 55,
      severity: 'error',
      rule: 'key-unknown',
      controls: ['PR.PS-01'],
      path: 'plans.growth.limits[0].wran',
      nearest: 'warn',
      text: '`plans.growth.limits[0].wran`: unknown key `wran`; did you mean `warn`?',
    },
  ]);
});
