import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadBundle } from '../../src/policy/bundle.ts';
import { formatProblem } from '../../src/policy/problem.ts';
import { BAD_BUNDLES } from './bad-bundles.ts';
import { BUNDLES, bundleWith } from './bundles.ts';

test('the base bundle has neither errors nor warnings', async () => {
  const { policy, settings, problems, warnings } = await loadBundle(join(BUNDLES, 'base'));
  assert.deepEqual([...problems, ...warnings], []);
  assert.ok(policy !== undefined && settings !== undefined);
});

test('every bad bundle is in the table and every row has one', async () => {
  assert.deepEqual((await readdir(join(BUNDLES, 'bad'))).toSorted(), Object.keys(BAD_BUNDLES).toSorted());
});

for (const [name, expected] of Object.entries(BAD_BUNDLES)) {
  test(`bad bundle: ${name}`, async (t) => {
    const dir = await bundleWith(t, { overlay: `bad/${name}` });
    const { policy, settings, problems, warnings } = await loadBundle(dir);
    assert.deepEqual([...problems, ...warnings].map(formatProblem), expected);
    assert.equal(policy === undefined || settings === undefined, problems.length > 0);
    assert.equal(problems.length === 0, name.startsWith('warn-'));
  });
}

test('all problems of all files come at once, each at its place', async (t) => {
  const dir = await bundleWith(t, {
    files: {
      'models.yaml': 'owner: platform@acme.example\nproviders: [\n',
      'plans.yaml': 'owner: nobody\ncurrency: usd\nplans: {p: {prices: 7}}\nprices: {}\n',
      'accounts/acme.yaml': 'acme: {owner: a@b.example, timezone: UTC, plann: growth}\n',
      'keys/search.yaml': 'K1: {}\n',
    },
  });
  const { problems } = await loadBundle(dir);
  assert.deepEqual(
    problems.map(({ file, line, column, rule }) => `${file}:${line}:${column} ${rule}`),
    [
      'accounts/acme.yaml:1:43 key-unknown',
      'keys/search.yaml:1:1 value-wrong',
      'models.yaml:3:1 yaml-syntax',
      'plans.yaml:1:8 value-wrong',
      'plans.yaml:2:11 value-wrong',
      'plans.yaml:3:9 key-missing',
      'plans.yaml:3:21 type-wrong',
    ],
  );
});

test('what is wrong in one entry does not hide what is wrong in another, nor blame who refers to it', async (t) => {
  const dir = await bundleWith(t, {
    files: {
      'accounts/acme.yaml': [
        'acme: {plan: growth, owner: cto@acme.example, timezone: Europe/Berlin}',
        'acme/a:',
        '  limits: [{name: one, max: 5 requests per fortnight}, {name: two, mix: 1}, {name: three, max: 5 requests per hour, wran: [1%]}]',
        '  overrides: {one: {max: 1 requests per hour, until: 2026-12-31, reason: r, approved_by: a@b.example}}',
        'acme/b: {plan: grwth}',
        '',
      ].join('\n'),
    },
  });
  const { problems } = await loadBundle(dir);
  assert.deepEqual(
    problems.map(({ line, column, rule, nearest }) => [line, column, rule, nearest]),
    [
      [3, 29, 'amount-form', undefined],
      [3, 56, 'key-missing', undefined],
      [3, 68, 'key-unknown', 'max'],
      [3, 117, 'key-unknown', 'warn'],
      [5, 16, 'name-unknown', 'growth'],
    ],
  );
});

test('a directory without files says what is missing, one that is not there says so', async (t) => {
  const empty = await bundleWith(t, { base: 'bad/bom' });
  const texts = (await loadBundle(empty)).problems.map(({ file, rule }) => `${file} ${rule}`);
  assert.deepEqual(texts, [
    'access.yaml file-missing',
    'models.yaml file-encoding',
    'plans.yaml file-missing',
    'traffic.yaml file-missing',
  ]);
  const absent = await loadBundle(join(empty, 'absent'));
  assert.deepEqual(
    absent.problems.map(({ file, rule, text }) => [file, rule, text]),
    [['.', 'file-unreadable', `directory \`${join(empty, 'absent')}\` cannot be read (ENOENT)`]],
  );
  assert.equal(absent.policy, undefined);
});

test('problems beyond a thousand are counted, not kept', async (t) => {
  const keys = Array.from({ length: 1500 }, (_, i) => `K${i}: {}\n`).join('');
  const { problems, dropped } = await loadBundle(await bundleWith(t, { files: { 'keys/many.yaml': keys } }));
  assert.equal(problems.length, 1000);
  assert.equal(dropped, 500);
});
