/** A bundle that changes while a real `tollgate serve` decides: rows C1 to C7. Swaps under load: reload-swaps. */
import assert from 'node:assert/strict';
import { appendFile, chmod, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runCli } from '../support/process.ts';
import type { Scope } from '../support/scope.ts';
import { until } from '../support/until.ts';
import { bundleNamed, type Facts, type Served, serveBundle } from './reload-serve.ts';

/** A good bundle is live within it. */
const LIVE_MS = 6_000;
const A = bundleNamed('a', 0.25);
const B = bundleNamed('b', 0.5);

const serve = (t: Scope, more: Partial<Parameters<typeof serveBundle>[1]> = {}): Promise<Served> =>
  serveBundle(t, { files: A, ...more });

const loads = (served: Served, count: number): Promise<unknown> =>
  until('a bundle is live', () => served.count('policy_loaded') === count, { withinMs: LIVE_MS });

const refusals = (served: Served, count: number): Promise<unknown> =>
  until('a bundle is refused', () => served.count('policy_refused') === count, { withinMs: LIVE_MS });

/** As editors save: another file takes the name. */
async function save(dir: string, file: string, text: string): Promise<void> {
  await writeFile(join(dir, `${file}.swp`), text);
  await rename(join(dir, `${file}.swp`), join(dir, file));
}

describe('reload', { concurrency: 4 }, () => {
  test('C1: a syntax error keeps the last good bundle, and says where it is', async (t) => {
    const served = await serve(t);
    const before = await served.ask();
    await save(served.dir, 'plans.yaml', `${A['plans.yaml']}plans: {\n`);
    await refusals(served, 1);
    assert.deepEqual(await served.ask(), before);
    const [refused] = served.lines('policy_refused');
    assert.equal(refused?.['policy_version'], before.policyVersion);
    assert.match(String(served.lines('bundle_problem')[0]?.['msg']), /^plans\.yaml:\d+:\d+: error yaml-syntax: /);
    await save(served.dir, 'plans.yaml', A['plans.yaml'] ?? '');
    await until('it is mended', () => served.count('policy_mended') === 1, { withinMs: LIVE_MS });
    assert.equal(served.count('policy_loaded'), 0);
  });

  test('C2: a file that is written in 10-byte steps is taken whole or not at all', async (t) => {
    const served = await serve(t);
    const before = await served.ask();
    const seen = new Set<string>();
    const file = await open(join(served.dir, 'plans.yaml'), 'w');
    const bytes = Buffer.from(B['plans.yaml'] ?? '');
    for (let at = 0; at < bytes.length; at += 10) {
      await file.write(bytes.subarray(at, at + 10));
      await sleep(10);
      if (at % 100 === 0) seen.add((await served.ask()).policyVersion);
    }
    await file.close();
    await loads(served, 1);
    assert.deepEqual([...seen], [before.policyVersion]);
    const after = await served.ask();
    assert.match(after.spends, /of-b/);
    assert.notEqual(after.priceVersion, before.priceVersion);
  });

  test('C2: whoever marks the end of a file may pause in the middle of it', async (t) => {
    const whole = `${A['plans.yaml']}...\n`;
    const served = await serve(t);
    const before = await served.ask();
    await save(served.dir, 'plans.yaml', whole);
    await loads(served, 1);
    const marked = await served.ask();
    assert.notEqual(marked.policyVersion, before.policyVersion);
    // Up to the costs: all of it is valid, and nothing says that there is more.
    await writeFile(
      join(served.dir, 'plans.yaml'),
      whole.slice(0, whole.indexOf('  anthropic:\n    claude-sonnet: [{from: 2026-01-01, per: 1M tokens, input: 2.40')),
    );
    await refusals(served, 1);
    assert.match(String(served.lines('bundle_problem')[0]?.['msg']), /^plans\.yaml:\d+:1: error file-unfinished: /);
    assert.deepEqual(await served.ask(), marked);
  });

  test('C4: files that are deleted, emptied or closed keep the last good bundle', async (t) => {
    const served = await serve(t);
    const before = await served.ask();
    const plans = join(served.dir, 'plans.yaml');
    const ways: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['deleted', () => rm(plans)],
      ['emptied', () => writeFile(plans, '')],
      // Root reads all the same; a directory is what nobody reads as a file.
      [
        'closed',
        async () => {
          await rm(plans);
          await mkdir(plans);
          await chmod(plans, 0);
        },
      ],
      [
        'all deleted',
        async () => {
          await rm(plans, { recursive: true });
          for (const file of ['access.yaml', 'traffic.yaml', 'models.yaml']) await rm(join(served.dir, file));
          await rm(join(served.dir, 'accounts'), { recursive: true });
        },
      ],
      ['the directory moved away', () => rename(served.dir, `${served.dir}-gone`)],
    ];
    for (const [index, [way, spoil]] of ways.entries()) {
      await spoil();
      await refusals(served, index + 1);
      assert.deepEqual(await served.ask(), before, way);
    }
    assert.equal(served.count('restart_needed'), 0);
  });

  test('C6: the version stands in each answer and in the log, and counters are those of before', async (t) => {
    const served = await serve(t);
    const before = await served.ask();
    await save(served.dir, 'plans.yaml', (A['plans.yaml'] ?? '').replace('1000M', '900M'));
    await loads(served, 1);
    const after = await served.ask();
    assert.notEqual(after.policyVersion, before.policyVersion);
    const counters = ({ spends }: Facts): readonly string[] => spends.match(/acme\|[^"]*/g) ?? [];
    assert.equal(counters(before).length, 2, before.spends);
    assert.deepEqual(counters(after), counters(before));
    const [loaded] = served.lines('policy_loaded');
    assert.deepEqual([loaded?.['policy_version'], loaded?.['before']], [after.policyVersion, before.policyVersion]);
    assert.equal(served.lines('serving')[0]?.['policy_version'], before.policyVersion);
  });

  test('C7: without a valid bundle it serves refusals, and goes live when there is one', async (t) => {
    const served = await serve(t, { files: { ...A, 'plans.yaml': 'plans: [\n' } });
    const { status, reason, policyVersion } = await served.ask();
    assert.deepEqual([status, reason, policyVersion], [503, 'policy_missing', '']);
    assert.equal(served.count('policy_refused'), 1);
    assert.match(String(served.lines('bundle_problem')[0]?.['msg']), /^plans\.yaml:/);
    await save(served.dir, 'plans.yaml', A['plans.yaml'] ?? '');
    await loads(served, 1);
    assert.equal((await served.ask()).outcome, 'allow');
    assert.equal(served.count('bundle_problem'), 1);
  });

  test('C7: a tollgate.yaml that is wrong ends it, with each problem', async (t) => {
    const dir = await serve(t).then(({ dir: made }) => made);
    await writeFile(join(dir, 'tollgate.yaml'), 'deadline: 1h\nfrob: 1\n');
    const { code, stderr } = await runCli(t, ['serve', '--config', dir]);
    assert.equal(code, 1);
    assert.match(stderr, /^tollgate\.yaml:\d+:\d+: error .*\n(?:.*\n)*tollgate: bundle `[^`]+` has problems/);
  });

  test('a key is live without a restart, and dead; SIGHUP asks for it at once', async (t) => {
    const served = await serve(t);
    assert.equal((await served.ask()).outcome, 'allow');
    const config = ['--config', served.dir];
    const revoked = await runCli(t, ['keys', 'revoke', served.keyId, ...config]);
    assert.equal(revoked.code, 0, revoked.stderr);
    process.kill(served.child.pid, 'SIGHUP');
    await loads(served, 1);
    assert.equal((await served.ask()).status, 401);
    const made = await runCli(t, [
      'keys',
      'create',
      ...config,
      '--account',
      'acme',
      '--class',
      'interactive',
      '--kind',
      'service',
      '--owner',
      'a@acme.example',
    ]);
    assert.equal(made.code, 0, made.stderr);
    await loads(served, 2);
    assert.deepEqual(await served.child.kill('SIGTERM'), { code: 0, signal: null });
  });

  test('a broken tollgate.yaml does not hold up a bundle; a changed one says what needs a restart', async (t) => {
    const served = await serve(t);
    const settings = join(served.dir, 'tollgate.yaml');
    const text = await readFile(settings, 'utf8');
    await appendFile(settings, 'frob: 1\n');
    await save(served.dir, 'plans.yaml', B['plans.yaml'] ?? '');
    await loads(served, 1);
    await refusals(served, 1);
    assert.match(
      String(served.lines('policy_refused')[0]?.['msg']),
      /^tollgate\.yaml is not valid: .* the other files are in force$/,
    );
    await save(served.dir, 'tollgate.yaml', `${text}log: debug\ndeadline: 300ms\n`);
    await until('it is mended', () => served.count('policy_mended') === 1, { withinMs: LIVE_MS });
    assert.deepEqual(
      served.lines('restart_needed').map((line) => line['settings']),
      [['deadlineMs']],
    );
    assert.equal(served.count('policy_loaded'), 1);
  });
});
