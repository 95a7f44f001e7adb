/** Bundles are read in a thread of their own: rows C5 and P20. Through a real process: e2e/reload. */
import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { loadBundle } from '../../src/policy/bundle.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { BundleLoader, type LoadAnswer, type LoaderOptions } from '../../src/policy/reload/loader.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';
import { bundleWith, policyOf } from './bundles.ts';

const READER = new URL('../../src/policy/reload/reader.ts', import.meta.url);
const EVERYTHING = { before: undefined, marked: [], known: undefined };

function loaderFor(scope: Scope, options: LoaderOptions = {}): BundleLoader {
  const loader = new BundleLoader(options);
  scope.after(() => loader.close());
  return loader;
}

function policyIn(answer: LoadAnswer): Policy {
  assert.equal(answer.outcome, 'judged');
  assert.ok(answer.outcome === 'judged');
  assert.ok(
    answer.judged.policy !== undefined,
    answer.judged.problems
      .map(({ text }) => text)
      .slice(0, 3)
      .join(),
  );
  return answer.judged.policy;
}

function problemsIn(answer: LoadAnswer): readonly string[] {
  assert.ok(answer.outcome === 'judged');
  assert.equal(answer.judged.policy, undefined);
  return answer.judged.problems.map(({ file, rule }) => `${file} ${rule}`);
}

/** The answer, how long it took, and how long anything else had to wait at most, ms. */
async function timed(
  loading: () => Promise<LoadAnswer>,
): Promise<{ answer: LoadAnswer; tookMs: number; stallMs: number }> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const startMs = performance.now();
  const answer = await loading();
  const tookMs = performance.now() - startMs;
  delays.disable();
  return { answer, tookMs, stallMs: delays.max / 1e6 };
}

test('what comes from the thread is what is compiled here: frozen, and each object once', async (t) => {
  const dir = await bundleWith(t, { base: 'example' });
  const there = policyIn(await loaderFor(t).load({ dir, ...EVERYTHING }));
  const here = policyOf(await loadBundle(dir));
  for (const name of [
    'version',
    'priceVersion',
    'environment',
    'classes',
    'runs',
    'routes',
    'prices',
    'issuers',
  ] as const) {
    assert.deepEqual(there[name], here[name], name);
  }
  for (const path of ['acme', 'acme/search', 'acme/search/x', 'nobody', 'acme/']) {
    assert.deepEqual(there.account(path), here.account(path), path);
  }
  assert.deepEqual(
    [...there.keys].map(([id, { digest }]) => [id, Buffer.from(digest)]),
    [...here.keys].map(([id, { digest }]) => [id, Buffer.from(digest)]),
  );
  assert.deepEqual([...there.declaredAccounts()], [...here.declaredAccounts()]);
  const search = there.account('acme/search')!;
  assert.equal(there.account('acme/search'), search);
  const limitsOf = (path: string) => new Set(there.account(path)!.limits.map(({ limit }) => limit));
  assert.ok([...limitsOf('acme')].every((limit) => limitsOf('acme/search').has(limit)));
  for (const value of [there, there.prices, there.prices.charge, search, search.limits[0], search.limits[0]?.limit]) {
    assert.ok(Object.isFrozen(value));
  }
  assert.equal(Object.getPrototypeOf(there.prices.charge), null);
  assert.equal(there.models.asked('gpt-5-latest'), there.models.byName.get('gpt-5'));
  assert.equal(there.models.answered('gpt-5-2026-01-01'), there.models.byName.get('gpt-5'));
  assert.equal(there.route('POST', '/v1/chat/completions'), there.routes.get('chat'));
});

test('the same again is not compiled; another tollgate.yaml is not the same', async (t) => {
  const dir = await bundleWith(t, {});
  const loader = loaderFor(t);
  const first = await loader.load({ dir, ...EVERYTHING });
  assert.ok(first.outcome === 'judged');
  const known = { ...EVERYTHING, known: first.seen.hash };
  assert.equal((await loader.load({ dir, ...known })).outcome, 'same');
  await appendFile(join(dir, 'tollgate.yaml'), 'log: debug\n');
  const second = await loader.load({ dir, ...known });
  assert.ok(second.outcome === 'judged');
  assert.equal(second.judged.version, first.judged.version);
  assert.equal(second.judged.settings?.log, 'debug');
});

for (const { what, text, rule } of [
  {
    what: '1 MB of nested lists',
    text: `acme: ${'['.repeat(500_000)}${']'.repeat(500_000)}\n`,
    rule: /^accounts\/acme\.yaml /,
  },
  {
    what: 'a depth of 10 000',
    text: `acme: ${'{a: '.repeat(10_000)}1${'}'.repeat(10_000)}\n`,
    rule: /^accounts\/acme\.yaml /,
  },
  {
    what: 'an alias bomb',
    text: `a: &a [x, x]\n${Array.from({ length: 40 }, (_, i) => `b${i}: &b${i} [*${i === 0 ? 'a' : `b${i - 1}`}, *${i === 0 ? 'a' : `b${i - 1}`}]\n`).join('')}`,
    rule: /yaml-feature$/,
  },
  { what: '1 MB of one key', text: `${'a'.repeat(1_000_000)}: 1\n`, rule: /^accounts\/acme\.yaml / },
]) {
  test(`C5: ${what} is refused beside the loop, not on it`, async (t) => {
    const dir = await bundleWith(t, { files: { 'accounts/acme.yaml': text } });
    const loader = loaderFor(t);
    await loader.load({ dir: await bundleWith(t, {}), ...EVERYTHING });
    const { answer, tookMs, stallMs } = await timed(() => loader.load({ dir, ...EVERYTHING }));
    t.diagnostic(`refused after ${tookMs.toFixed(0)} ms, the loop waited at most ${stallMs.toFixed(1)} ms`);
    assert.ok(
      problemsIn(answer).some((problem) => rule.test(problem)),
      problemsIn(answer).join(),
    );
    assert.equal(loader.deaths, 0);
  });
}

test('C5: 10 000 accounts and 10 000 keys come in pieces', async (t) => {
  const accounts = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, i) => [
      `c${i % 500}${i < 500 ? '' : `/t${i}`}`,
      i < 500
        ? { plan: 'growth', owner: 'a@b.example', timezone: 'UTC' }
        : { owner: 'a@b.example', limits: [{ name: 'team-spend', max: '200 USD per month', warn: ['80%'] }] },
    ]),
  );
  const digest = (i: number) => `hmac-sha256:v1:${Buffer.alloc(32, `${i}-`).toString('base64url')}`;
  const keys = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, i) => [
      `key${10_000 + i}`,
      {
        account: `c${i % 500}`,
        digest: digest(i),
        kind: 'service',
        class: 'batch',
        environment: 'prod',
        owner: 'a@b.example',
        created: '2026-01-01',
        expires: '2026-03-01',
      },
    ]),
  );
  const dir = await bundleWith(t, {
    files: { 'accounts/many.json': JSON.stringify(accounts), 'keys/many.json': JSON.stringify(keys) },
  });
  const loader = loaderFor(t);
  const first = await timed(() => loader.load({ dir, ...EVERYTHING }));
  const policy = policyIn(first.answer);
  assert.equal([...policy.declaredAccounts()].filter((path) => /^c\d/.test(path)).length, 10_000);
  // And the one of the base bundle.
  assert.equal(policy.keys.size, 10_001);
  assert.deepEqual(Buffer.from(policy.keys.get('key17777')!.digest), Buffer.alloc(32, '7777-'));
  assert.ok(policy.account('c499/t9999')?.limits.some(({ limit }) => limit.name === 'team-spend'));
  const access = join(dir, 'access.yaml');
  await writeFile(access, `${await readFile(access, 'utf8')}# changed\n`);
  const second = await timed(() => loader.load({ dir, ...EVERYTHING }));
  t.diagnostic(
    `first ${first.tookMs.toFixed(0)} ms, the loop waited at most ${first.stallMs.toFixed(1)} ms; one file changed: ${second.tookMs.toFixed(0)} ms, ${second.stallMs.toFixed(1)} ms`,
  );
  assert.notEqual(policyIn(second.answer).version, policy.version);
});

/** A reader that dies as often as a file has lines left. */
async function dyingReader(scopeOf: Scope, deaths: number, how: string): Promise<URL> {
  const dir = await tempDir(scopeOf);
  const left = join(dir, 'left');
  await writeFile(left, String(deaths));
  const file = join(dir, 'reader.mjs');
  await writeFile(
    file,
    `import { readFileSync, writeFileSync } from 'node:fs';
     import { parentPort } from 'node:worker_threads';
     const left = Number(readFileSync(${JSON.stringify(left)}, 'utf8'));
     if (left > 0) {
       writeFileSync(${JSON.stringify(left)}, String(left - 1));
       parentPort.on('message', () => { ${how} });
     } else await import(${JSON.stringify(String(READER))});`,
  );
  return pathToFileURL(file);
}

test('P20: a reader that dies answers so, and the next load has another one', async (t) => {
  const dir = await bundleWith(t, {});
  for (const { how, why } of [
    { how: "throw new Error('oops')", why: /^oops$/ },
    { how: 'process.exit(3)', why: /^it ended without a word$/ },
  ]) {
    const loader = loaderFor(t, { reader: await dyingReader(t, 2, how) });
    for (let death = 1; death <= 2; death++) {
      const answer = await loader.load({ dir, ...EVERYTHING });
      assert.ok(answer.outcome === 'died');
      assert.match(answer.why, why);
      assert.equal(answer.again, true);
      assert.equal(loader.deaths, death);
    }
    policyIn(await loader.load({ dir, ...EVERYTHING }));
    assert.equal(loader.deaths, 2);
  }
});

test('P20: a reader that takes too long, or too much memory, is ended; the bundle is not tried again', async (t) => {
  const dir = await bundleWith(t, {});
  const slow = loaderFor(t, { reader: await dyingReader(t, 1, 'for (;;);'), loadMs: 200 });
  const late = await slow.load({ dir, ...EVERYTHING });
  assert.deepEqual(late, { outcome: 'died', why: 'it took longer than 200 ms', again: false });
  const greedy = loaderFor(t, {
    reader: await dyingReader(t, 1, 'const all = []; for (;;) all.push(new Array(100_000).fill(Math.random()));'),
    heapMb: 32,
  });
  const full = await greedy.load({ dir, ...EVERYTHING });
  assert.ok(full.outcome === 'died' && !full.again, JSON.stringify(full));
});

test('a reader that nobody asks is ended, and another one knows nothing of it', async (t) => {
  const dir = await bundleWith(t, {});
  const loader = loaderFor(t, { idleMs: 1 });
  const first = policyIn(await loader.load({ dir, ...EVERYTHING }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(policyIn(await loader.load({ dir, ...EVERYTHING })).version, first.version);
  assert.equal(loader.deaths, 0);
});
