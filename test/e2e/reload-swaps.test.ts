/** Swaps of the bundle under load: no answer of a bad bundle, none of two at once. `RELOAD_SWAPS` of them (50). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../support/until.ts';
import { bundleNamed, type Facts, Mount, serveBundle } from './reload-serve.ts';

const SWAPS = Number(process.env['RELOAD_SWAPS'] ?? 50);
const CALLERS = 8;
const PAUSE_MS = 15;
/** Each so many swaps a bad bundle comes between. */
const BAD_EACH = 5;

test(`C3: ${SWAPS} swaps of a mounted bundle under load: all are seen, no answer is of a bad or a mixed one`, async (t) => {
  let mount: Mount | undefined;
  const served = await serveBundle(t, {
    files: bundleNamed('a', 0.25),
    prepare: async (dir) => {
      mount = new Mount(dir);
      await mount.begin('a');
      await mount.make('b', 'a', bundleNamed('b', 0.5));
      const { 'plans.yaml': plans } = bundleNamed('c', 9);
      await mount.make('bad', 'b', {
        'plans.yaml': plans?.replace('growth:', 'groth:'),
        'accounts/acme.yaml': 'acme: [\n',
      });
    },
  });
  const expected = new Map<string, Facts>();
  const first = await served.ask();
  expected.set(first.policyVersion, first);
  await mount!.swap('b');
  await until('the other bundle is live', () => served.count('policy_loaded') === 1);
  const second = await served.ask();
  expected.set(second.policyVersion, second);
  assert.equal(expected.size, 2);
  for (const key of ['priceVersion', 'tags', 'estimate', 'spends'] as const) assert.notEqual(first[key], second[key]);

  let going = true;
  let asked = 0;
  let slowestMs = 0;
  const wrong: Facts[] = [];
  const seen = new Map<string, number>();
  const callers = Array.from({ length: CALLERS }, async () => {
    while (going) {
      const startMs = performance.now();
      const facts = await served.ask();
      slowestMs = Math.max(slowestMs, performance.now() - startMs);
      asked += 1;
      seen.set(facts.policyVersion, (seen.get(facts.policyVersion) ?? 0) + 1);
      if (JSON.stringify(facts) !== JSON.stringify(expected.get(facts.policyVersion))) wrong.push(facts);
      await sleep(PAUSE_MS);
    }
  });
  const latenciesMs: number[] = [];
  for (let swap = 1; swap <= SWAPS; swap++) {
    if (swap % BAD_EACH === 0) {
      const before = served.count('policy_refused');
      await mount!.swap('bad');
      await until('it is refused', () => served.count('policy_refused') > before, { withinMs: 6_000 });
    }
    const startMs = performance.now();
    await mount!.swap(swap % 2 === 1 ? 'a' : 'b');
    await until('it is live', () => served.count('policy_loaded') === swap + 1, { withinMs: 6_000, everyMs: 5 });
    latenciesMs.push(performance.now() - startMs);
  }
  going = false;
  await Promise.all(callers);
  assert.deepEqual(wrong, []);
  assert.deepEqual(new Set(seen.keys()), new Set(expected.keys()));
  assert.equal(served.count('policy_loaded'), SWAPS + 1);
  assert.equal(served.count('policy_refused'), Math.floor(SWAPS / BAD_EACH));
  latenciesMs.sort((a, b) => a - b);
  t.diagnostic(
    `${asked} calls, slowest ${slowestMs.toFixed(0)} ms; live after p50 ${latenciesMs[latenciesMs.length >> 1]?.toFixed(0)} ms, most ${latenciesMs.at(-1)?.toFixed(0)} ms`,
  );
  assert.deepEqual(await served.child.kill('SIGTERM'), { code: 0, signal: null });
});
