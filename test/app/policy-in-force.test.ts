/** When a bundle comes in force, and what keeps it from it. Through a real process: e2e/reload. */
import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { PolicyInForce, type PolicyInForceOptions } from '../../src/app/policy-in-force.ts';
import { PolicyNews } from '../../src/app/policy-news.ts';
import { PriceShelf } from '../../src/app/price-shelf.ts';
import type { Audit, AuditEvent } from '../../src/core/audit.ts';
import { systemClock } from '../../src/core/clock.ts';
import { loadBundle } from '../../src/policy/bundle.ts';
import { fingerprintOf } from '../../src/policy/reload/fingerprint.ts';
import { createLog } from '../../src/telemetry/log.ts';
import { bundleWith, policyOf } from '../policy/bundles.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';

interface Rig {
  readonly dir: string;
  readonly inForce: PolicyInForce;
  readonly prices: PriceShelf;
  readonly audited: AuditEvent[];
  /** What happened, in order. */
  readonly told: string[];
  /** Changes the bundle, and another price with it if asked for. */
  change(price?: string): Promise<void>;
}

async function rigFor(scope: Scope, options: Partial<PolicyInForceOptions> = {}): Promise<Rig> {
  const dir = await bundleWith(scope, { base: 'example' });
  const { text: print } = await fingerprintOf(dir);
  const loaded = await loadBundle(dir);
  const first = { dir, print, policy: policyOf(loaded), problems: [], version: loaded.version };
  const prices = new PriceShelf(60_000);
  const [audited, told]: [AuditEvent[], string[]] = [[], []];
  const audit: Audit = { append: async (event) => void audited.push(event) };
  const log = createLog({ level: 'silent' });
  const inForce = new PolicyInForce({
    first,
    settings: undefined,
    clock: systemClock,
    news: new PolicyNews(log, { audit }),
    prices,
    keepPrices: async (version) => void told.push(`prices ${version}`),
    prepare: async ({ version }) => void told.push(`prepared ${version}`),
    onLoaded: (version) => void told.push(`loaded ${version}`),
    onRefused: () => void told.push('refused'),
    onMended: () => void told.push('mended'),
    onReaderDied: () => void told.push('died'),
    ...options,
  });
  scope.after(() => inForce.close());
  return {
    dir,
    inForce,
    prices,
    audited,
    told,
    change: async (price) => {
      const plans = join(dir, 'plans.yaml');
      const text = await readFile(plans, 'utf8');
      await writeFile(
        plans,
        `${price === undefined ? text : text.replace('input: 1.25', `input: ${price}`)}# changed\n`,
      );
    },
  };
}

test('prices are kept and key sets fetched before a bundle is in force; it is on record', async (t) => {
  const { inForce, change, told, audited, prices } = await rigFor(t);
  const before = inForce.current()!;
  await change('1.5');
  const { outcome, version } = await inForce.reload('asked');
  const { priceVersion } = inForce.current()!;
  assert.equal(outcome, 'loaded');
  assert.deepEqual(told, [`prices ${priceVersion}`, `prepared ${version}`, `loaded ${version}`]);
  assert.ok(prices.has(priceVersion));
  assert.deepEqual(inForce.status().fault, undefined);
  assert.deepEqual(audited, [
    {
      who: 'tollgate',
      role: 'system',
      verb: 'policy_reload',
      object: version,
      before: before.version,
      after: version,
      outcome: 'done',
      why: 'asked',
      policyVersion: version,
    },
  ]);
  assert.equal((await inForce.reload('again')).outcome, 'unchanged');
  assert.equal(told.length, 3);
});

test('a ledger that cannot keep the prices keeps the bundle out; it is tried again', async (t) => {
  let isFull = true;
  const { inForce, change, audited, told } = await rigFor(t, {
    keepPrices: async () => {
      if (isFull) throw new Error('full');
    },
  });
  const before = inForce.current();
  await change('1.5');
  const { outcome, problems } = await inForce.reload('asked');
  assert.deepEqual([outcome, problems], ['failed', ['the ledger cannot keep the prices']]);
  assert.equal(inForce.current(), before);
  assert.deepEqual(
    audited.map(({ outcome: of, why }) => [of, why]),
    [['failed', 'the ledger cannot keep the prices']],
  );
  await inForce.reload('asked');
  assert.equal(audited.length, 1);
  isFull = false;
  assert.equal((await inForce.reload('asked')).outcome, 'loaded');
  assert.deepEqual([told.at(0), told.at(-1)], ['refused', 'mended']);
});

test('an issuer that does not answer holds nothing up', async (t) => {
  const { inForce, change } = await rigFor(t, { prepare: () => new Promise(() => {}) });
  await change();
  assert.equal((await inForce.reload('asked')).outcome, 'loaded');
});

test('a refused bundle is told and on record once, and mended by what is in force', async (t) => {
  const { dir, inForce, told, audited } = await rigFor(t);
  const access = join(dir, 'access.yaml');
  const text = await readFile(access, 'utf8');
  await appendFile(access, 'frob: 1\n');
  for (const _ of [1, 2]) {
    const { outcome, problems } = await inForce.reload('asked');
    assert.equal(outcome, 'refused');
    assert.match(problems[0] ?? '', /^access\.yaml:\d+:1: error key-unknown: /);
  }
  assert.deepEqual([told, audited.length, inForce.status().fault?.problems.length], [['refused'], 1, 1]);
  await writeFile(access, text);
  assert.equal((await inForce.reload('asked')).outcome, 'unchanged');
  assert.deepEqual([told, inForce.status().fault], [['refused', 'mended'], undefined]);
});

test('who asks while one runs shares the next', async (t) => {
  const { inForce, change } = await rigFor(t);
  await change();
  const [first, second, third] = [inForce.reload('1'), inForce.reload('2'), inForce.reload('3')];
  assert.equal(second, third);
  assert.deepEqual(
    (await Promise.all([first, second])).map(({ outcome }) => outcome),
    ['loaded', 'unchanged'],
  );
});

test('P20: a reader that dies delays a bundle and nothing else', async (t) => {
  const reader = new URL('../../src/policy/reload/reader.ts', import.meta.url);
  const dying = async (deaths: number): Promise<URL> => {
    const dir = await tempDir(t);
    await writeFile(join(dir, 'left'), String(deaths));
    await writeFile(
      join(dir, 'reader.mjs'),
      `import { readFileSync, writeFileSync } from 'node:fs';
       const left = Number(readFileSync(${JSON.stringify(join(dir, 'left'))}, 'utf8'));
       writeFileSync(${JSON.stringify(join(dir, 'left'))}, String(left - 1));
       if (left > 0) throw new Error('oops');
       await import(${JSON.stringify(String(reader))});`,
    );
    return pathToFileURL(join(dir, 'reader.mjs'));
  };
  const lucky = await rigFor(t, { loader: { reader: await dying(2) } });
  const before = lucky.inForce.current();
  await lucky.change();
  const reloading = lucky.inForce.reload('asked');
  assert.equal(lucky.inForce.current(), before);
  assert.equal((await reloading).outcome, 'loaded');
  assert.deepEqual(lucky.told.slice(0, 2), ['died', 'died']);
  const unlucky = await rigFor(t, { loader: { reader: await dying(3) } });
  await unlucky.change();
  const { outcome, problems, version } = await unlucky.inForce.reload('asked');
  assert.deepEqual([outcome, problems], ['failed', ['the bundle cannot be read: oops']]);
  assert.equal(version, unlucky.inForce.current()?.version);
  assert.deepEqual(unlucky.told, ['died', 'died', 'died', 'refused']);
  assert.equal((await unlucky.inForce.reload('asked')).outcome, 'loaded');
});

test('prices are kept as long as calls may be settled by them, and no longer', () => {
  const shelf = new PriceShelf(1_000);
  const tables = { currency: 'USD', decimals: 9, charge: {}, cost: {} };
  shelf.remember('old', tables, 0);
  shelf.enforce('a', tables, { before: undefined, nowMs: 100 });
  shelf.enforce('b', tables, { before: 'a', nowMs: 500 });
  assert.deepEqual(
    ['old', 'a', 'b'].map((version) => shelf.has(version)),
    [true, true, true],
  );
  shelf.enforce('a', tables, { before: 'b', nowMs: 1_200 });
  assert.deepEqual(
    ['old', 'a', 'b'].map((version) => shelf.has(version)),
    [false, true, true],
  );
  shelf.enforce('c', tables, { before: 'a', nowMs: 2_300 });
  assert.deepEqual(
    ['a', 'b', 'c'].map((version) => shelf.has(version)),
    [true, false, true],
  );
});
