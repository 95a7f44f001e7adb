/** What must hold of every decision, over random small bundles and random calls. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Decision } from '../../src/decision/decision.ts';
import { encodeCheckResponse } from '../../src/envoy/wire/check-response.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { fileScope } from '../support/scope.ts';
import { type BundleParts, policyOf } from './bundle.ts';
import { type Asked, Desk, essence } from './desk.ts';

const scope = fileScope();

const MODELS = ['large', 'small', 'tiny'] as const;
const CLASSES = ['interactive', 'agentic', 'batch'] as const;
const ACCOUNTS = ['acme', 'acme/team', 'acme/team/deep'] as const;
const KEYS = {
  deepkey: { account: 'acme/team/deep' },
  deepbatch: { account: 'acme/team/deep', class: 'batch' },
} as const;

/** Mostly on, so that something is refused. */
const enforce = fc.constantFrom('on', 'on', 'on', 'on', 'observe', 'off');
const some = <T extends string>(names: readonly T[]) =>
  fc.subarray([...names], { minLength: 1 }).map((picked) => picked.join(', '));

const rule = fc.record({ account: fc.constantFrom(...ACCOUNTS), models: some([...MODELS, '*-latest']), enforce });
const entitlement = fc
  .record({ models: some(MODELS), classes: some(CLASSES) })
  .map(({ models, classes }) => `{routes: [chat], models: [${models}], classes: [${classes}]}`);

const bound = fc.oneof(
  fc.integer({ min: 1, max: 600 }).map((max) => `max: ${max} output_tokens per minute`),
  fc.integer({ min: 1, max: 600 }).map((max) => `max: ${max} tokens per day, estimate: assumed`),
  fc.integer({ min: 1, max: 6 }).map((max) => `max: ${max} in flight, ceiling: {batch: 50%}`),
  fc.integer({ min: 1, max: 5 }).map((max) => `max: ${max} requests per second, burst: ${max + 1}`),
  fc.integer({ min: 1, max: 60 }).map((max) => `max: 0.000${String(max).padStart(2, '0')} USD per hour`),
  fc.integer({ min: 1, max: 3 }).map((max) => `max: ${max} runs per hour`),
);
const each = fc.constantFrom(
  '',
  '',
  ', each: account',
  ', each: credential',
  ', each: actor',
  ', each: model',
  ', each: customer',
);
const holds = fc.oneof(
  fc.constant(''),
  fc.constant(''),
  some(MODELS).map((models) => `, models: [${models}]`),
  some(CLASSES).map((classes) => `, classes: [${classes}]`),
);
const limits = (prefix: string, count: number) =>
  fc
    .array(fc.tuple(bound, each, holds, enforce), { maxLength: count })
    .map((found) =>
      found.map(([max, part, of, mode], n) => `{name: ${prefix}-${n}, ${max}${part}${of}, enforce: ${mode}}`),
    );

const ladder = fc
  .tuple(fc.constantFrom(10, 50, 90), fc.boolean(), fc.boolean())
  .map(([percent, first, second]) => [
    ...(first ? [`{at: ${percent}% of plan-budget, from: large, use: small}`] : []),
    ...(second ? [`{at: 95% of plan-budget, from: small, use: tiny}`] : []),
  ]);

const aBundle: fc.Arbitrary<BundleParts> = fc
  .record({
    bundle: fc.constantFrom('on' as const, 'on' as const, 'on' as const, 'observe' as const),
    planEnforce: fc.constantFrom('on' as const, 'on' as const, 'observe' as const),
    rules: fc.array(rule, { maxLength: 2 }),
    entitlements: fc.array(entitlement, { minLength: 1, maxLength: 3 }),
    budget: fc.integer({ min: 200, max: 1500 }),
    planLimits: limits('plan', 2),
    teamLimits: limits('team', 2),
    deepLimits: limits('deep', 2),
    trafficLimits: limits('traffic', 1),
    ladder,
  })
  .map((made) => ({
    enforce: made.bundle,
    planEnforce: made.planEnforce,
    rules: [
      ...made.rules.map(
        ({ account, models, enforce: mode }, n) =>
          `{name: no-${n}, deny: {accounts: ["${account}"], models: [${models.replace('*-latest', '"*-latest"')}]}, enforce: ${mode}}`,
      ),
      '{name: all, allow: {accounts: ["**"], models: [large, small, tiny]}}',
    ],
    entitlements: made.entitlements,
    limits: [`{name: plan-budget, max: ${made.budget} output_tokens per hour}`, ...made.planLimits],
    ladder: made.ladder,
    accounts: [account('acme/team', made.teamLimits), account('acme/team/deep', made.deepLimits)],
    trafficLimits: made.trafficLimits.map((limit) =>
      limit.includes('each:') ? limit : limit.replace('max:', 'each: customer, max:'),
    ),
    keys: KEYS,
  }));

function account(path: string, own: readonly string[]): string {
  const list = own.length === 0 ? '' : `, limits: [${own.join(', ')}]`;
  return `${path}: {owner: t@acme.example${list}}`;
}

interface Step {
  readonly asked: Asked;
  readonly laterMs: number;
  /** Which open call ends before this one, and what it used. */
  readonly ends: number;
  readonly used: number;
}

const aStep: fc.Arbitrary<Step> = fc.record({
  asked: fc
    .record({
      key: fc.constantFrom('acmekey', 'teamkey', 'batchkey', 'agentkey', 'deepkey', 'deepbatch'),
      model: fc.constantFrom('large', 'large', 'large', 'large-latest', 'small', 'tiny', 'secret', 'nosuch'),
      cap: fc.constantFrom(1, 20, 50, 150, undefined),
      stream: fc.boolean(),
      cls: fc.constantFrom(undefined, undefined, ...CLASSES),
      run: fc.constantFrom(undefined, 'r1', 'r2'),
      refuse: fc.boolean(),
    })
    .map(({ key, model, cap, stream, cls, run, refuse }) => ({
      key,
      json: { model, max_tokens: cap, stream },
      headers: [
        ...(cls === undefined ? [] : [['tollgate-class', cls] as const]),
        ...(run === undefined ? [] : [['tollgate-run', run] as const]),
        ...(refuse ? [['tollgate-downgrade', 'refuse'] as const] : []),
      ],
    })),
  // Within a hold's life, so that none is overdue: what is overdue is ended only for real.
  laterMs: fc.constantFrom(0, 0, 250, 20_000),
  ends: fc.nat(5),
  used: fc.constantFrom(0, 50, 200, 400),
});

interface Case {
  readonly policy: Policy;
  readonly desk: Desk;
  readonly asked: Asked;
  /** Decided dry, then for real, on one state. */
  readonly dry: Decision;
  readonly real: Decision;
  /** Rows that the real one changed. */
  readonly changed: number;
}

/** Plays random calls against random bundles and looks at every decision. */
async function everyDecision(seed: number, look: (made: Case) => void): Promise<void> {
  await fc.assert(
    fc.asyncProperty(aBundle, fc.array(aStep, { minLength: 20, maxLength: 30 }), async (parts, steps) => {
      const policy = await policyOf(scope, parts);
      const desk = new Desk(policy);
      const open: string[] = [];
      for (const { asked, laterMs, ends, used } of steps) {
        desk.nowMs += laterMs;
        const [ended] = open.splice(ends, 1);
        const hold = desk.holds.find(({ decisionId }) => decisionId === ended);
        if (hold !== undefined)
          desk.settle(hold, { requests: 1, runs: 1, tokens: used, output_tokens: used, charge: used * 500 });
        desk.store.changes();
        const { decision: dry } = await desk.dry(asked);
        assert.deepEqual(desk.store.changes(), [], 'a dry decision changes nothing');
        const real = desk.decide(asked);
        if (real.outcome === 'allow') open.push(real.hold.decisionId);
        look({ policy, desk, asked, dry, real, changed: desk.store.changes().length });
      }
    }),
    { seed, numRuns: 80, endOnFailure: true },
  );
}

test('the model of an allow is cleared by access.yaml and plan, and fits every enforced limit', async () => {
  let allowed = 0;
  let downgraded = 0;
  await everyDecision(11, ({ policy, real }) => {
    if (real.outcome === 'deny') return;
    allowed++;
    const { hold } = real;
    const isServedAsAsked = hold.downgradedBy === undefined;
    if (!isServedAsAsked) downgraded++;
    const plan = policy.account(hold.account)!.plan!;
    for (const [name, said] of [
      [policy.models.asked(hold.requestedModel!)!.name, hold.requestedModel],
      [hold.model!, isServedAsAsked ? hold.requestedModel : hold.model],
    ]) {
      const model = policy.models.byName.get(name!);
      const { outcome } = policy.access.judge({ ...hold, model, said });
      assert.ok(outcome === 'allowed' || policy.enforce === 'observe', `${name} is ${outcome}`);
      const isSold = hold.classes.every((cls) =>
        plan.entitlements.some(
          ({ routes, models, classes }) => routes.has(hold.route) && models.has(name!) && classes.has(cls),
        ),
      );
      assert.ok(isSold || plan.enforce === 'observe' || policy.enforce === 'observe', `${name} is not sold`);
    }
    for (const { used, asked, ceiling, observe } of hold.trace.at(-1)!.spends) {
      assert.ok(observe || used + asked <= ceiling);
    }
  });
  assert.ok(allowed > 150 && downgraded > 10, `${allowed} allowed, ${downgraded} downgraded`);
});

test('what would be decided is what is decided', async () => {
  const outcomes = new Set<string>();
  await everyDecision(12, ({ dry, real }) => {
    outcomes.add(real.outcome === 'deny' ? real.reason : 'allow');
    assert.deepEqual(essence(dry), essence(real));
  });
  for (const outcome of [
    'allow',
    'rate_limited',
    'concurrency_limited',
    'budget_spent',
    'model_hidden',
    'model_unknown',
    'model_denied',
    'model_not_entitled',
    'class_not_entitled',
    'header_invalid',
  ]) {
    assert.ok(outcomes.has(outcome), `never ${outcome}`);
  }
});

test('a denial leaves every counter as it was; an allow is reserved', async () => {
  let denied = 0;
  await everyDecision(13, ({ real, changed }) => {
    if (real.outcome === 'allow')
      return assert.equal(changed > 0, real.hold.spends.length > 0 || real.hold.run !== undefined);
    denied++;
    assert.equal(changed, 0);
  });
  assert.ok(denied > 100);
});

/** Partitions that are the caller's own, whoever declared the limit. */
const OWN = new Set(['account', 'credential', 'actor', 'run']);

test('no answer names a limit above the caller’s own account', async () => {
  let hidden = 0;
  await everyDecision(14, ({ policy, desk, real }) => {
    const at = real.outcome === 'allow' ? real.hold.account : real.principal!.account;
    const bytes = encodeCheckResponse(real, { holdToFields: () => [], jitter: 0 }).toString('latin1');
    const fired = real.outcome === 'allow' ? real.hold.downgradedBy : desk.refusals.at(-1)!.limit;
    for (const { limit, owner } of policy.account(at)!.limits) {
      if (owner === at || OWN.has(limit.each ?? '')) continue;
      assert.ok(!bytes.includes(limit.name), `${at} is told of \`${limit.name}\` of ${owner}`);
      if (fired === limit.name) hidden++;
    }
  });
  assert.ok(hidden > 50, `${hidden} times a limit above fired`);
});
