import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { AccountPolicy, Policy } from '../../src/policy/policy.ts';
import { loadWith, policyOf } from './bundles.ts';

const PLANS = `
owner: finance@acme.example
currency: USD
plans:
  wide:
    prices: standard
    entitlements: [{routes: [chat], models: [large, small], classes: [interactive]}]
    limits:
      - {name: wide-month, max: 100 USD per month}
      - {name: wide-key, max: 10 requests per second, burst: 20, each: credential}
      - {name: wide-customer, max: 1k tokens per day, each: customer}
      - {name: wide-off, max: 1 tokens per day, enforce: off}
      - {name: wide-cost, max: 50 USD cost per day}
  narrow:
    prices: standard
    entitlements: [{routes: [chat], models: ["s*"], classes: [interactive]}]
    limits: [{name: narrow-day, max: 5 USD per day}, {name: narrow-cost, max: 5 USD cost per day}]
prices: {standard: {large: [{from: 2026-01-01, per: 1M tokens, input: 2, output: 4}], small: [{from: 2026-01-01, per: 1M tokens, input: 1, output: 2}]}}
costs: {openai: {large: [{from: 2026-01-01, per: 1M tokens, input: 1, output: 2}], small: [{from: 2026-01-01, per: 1M tokens, input: 1, output: 1}]}}
`;

async function policyWith(t: TestContext, accounts: string, files: Record<string, string> = {}): Promise<Policy> {
  return policyOf(await loadWith(t, { 'plans.yaml': PLANS, 'accounts/acme.yaml': accounts, ...files }));
}

function bound(account: AccountPolicy | undefined): string[] {
  return (account?.limits ?? []).map(({ limit, owner }) => `${limit.name}@${owner}`);
}

const TREE = `
acme: {plan: wide, owner: cto@acme.example, timezone: America/New_York, month_starts: 15, unlisted: allow, tags: {a: "1", b: "1"}}
acme/team: {plan: narrow, tags: {b: "2"}, limits: [{name: team, max: 1 USD per day}]}
acme/team/x: {owner: x@acme.example, limits: [{name: x-limit, max: 1 USD per day}]}
closed: {owner: a@b.example, timezone: UTC}
`;
const TRAFFIC = ['key-burst@acme', 'in-flight@acme'];
const WIDE = ['wide-month@acme', 'wide-key@acme', 'wide-customer@acme', 'wide-cost@acme'];
const NARROW = ['narrow-day@acme/team', 'narrow-cost@acme'];

test('the nearest plan decides, the limits of all plans on the chain bind, cost caps hold per customer', async (t) => {
  const policy = await policyWith(t, TREE);
  const x = policy.account('acme/team/x');
  assert.equal(x?.plan?.name, 'narrow');
  assert.deepEqual([...x!.plan!.entitlements[0]!.models], ['small']);
  assert.deepEqual(bound(x), ['x-limit@acme/team/x', ...NARROW, 'team@acme/team', ...WIDE, ...TRAFFIC]);
  assert.deepEqual(bound(policy.account('acme')), [...WIDE, ...TRAFFIC]);
  assert.equal(policy.account('acme')?.plan?.name, 'wide');
  assert.deepEqual(
    [x?.zone, x?.monthStarts, x?.customer, x?.owner],
    ['America/New_York', 15, 'acme', 'x@acme.example'],
  );
  assert.deepEqual(policy.account('acme/team')?.owner, 'cto@acme.example');
  assert.deepEqual(x?.tags, { a: '1', b: '2' });
  assert.equal(policy.account('closed')?.plan, undefined);
});

test('undeclared accounts exist below a customer that allows it, with the limits above them', async (t) => {
  const policy = await policyWith(t, TREE);
  const unlisted = policy.account('acme/new');
  assert.equal(unlisted?.declared, false);
  assert.deepEqual(unlisted?.chain, ['acme/new', 'acme']);
  assert.deepEqual(bound(unlisted), [...WIDE, ...TRAFFIC]);
  assert.equal(policy.account('acme/new'), unlisted, 'resolved once');
  assert.deepEqual(bound(policy.account('acme/team/y/z')), [...NARROW, 'team@acme/team', ...WIDE, ...TRAFFIC]);
  const refused = [
    'closed/new',
    'globex',
    'globex/new',
    'acme/',
    '/acme',
    'acme//x',
    'acme/..',
    'acme/.',
    'acme/X',
    'acme/ü',
    'acme/a b',
    `acme/${'x'.repeat(65)}`,
    `acme${'/x'.repeat(8)}`,
    '__proto__',
    'acme/constructor/..',
    '',
  ];
  for (const path of refused) assert.equal(policy.account(path), undefined, path);
});

test('a flood of undeclared accounts is resolved, not kept', async (t) => {
  const policy = await policyWith(t, TREE);
  const first = policy.account('acme/n0');
  for (let i = 1; i <= 50_000; i++) policy.account(`acme/n${i}`);
  const again = policy.account('acme/n0');
  assert.notEqual(again, first, 'the oldest was forgotten');
  assert.deepEqual(again, first);
});

test('an override ends with its last day in the zone of the customer', async (t) => {
  const rows: readonly [zone: string, until: string, end: string][] = [
    ['UTC', '2026-12-31', '2027-01-01T00:00:00Z'],
    ['Europe/Berlin', '2026-07-31', '2026-07-31T22:00:00Z'],
    ['Europe/Berlin', '2026-12-31', '2026-12-31T23:00:00Z'],
    ['America/New_York', '2026-12-31', '2027-01-01T05:00:00Z'],
    ['Pacific/Auckland', '2026-12-31', '2026-12-31T11:00:00Z'],
    ['Asia/Kathmandu', '2026-02-28', '2026-02-28T18:15:00Z'],
    // The day after begins at 01:00 there: midnight is skipped.
    ['America/Santiago', '2026-09-05', '2026-09-06T04:00:00Z'],
  ];
  for (const [index, [timezone, until, end]] of rows.entries()) {
    const policy = await policyWith(
      t,
      `acme: {plan: wide, owner: a@b.example, timezone: ${timezone}, overrides: {wide-month: {max: 200 USD per month, until: ${until}, reason: r, approved_by: a@b.example}}}\n`,
      { 'keys/search.yaml': KEY },
    );
    const override = policy.account('acme')?.limits.find(({ limit }) => limit.name === 'wide-month')?.override;
    assert.deepEqual(override, { max: 200_000_000_000, burst: undefined, untilMs: Date.parse(end) }, `row ${index}`);
  }
});

const KEY =
  'k00000: {account: acme, digest: "hmac-sha256:v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", kind: agent, class: interactive, environment: prod, owner: a@b.example, created: 2026-01-01, expires: 2026-03-31}\n';

test('an override reaches counters at its account or below, the nearest one counts', async (t) => {
  const override = (max: string, burst = '') =>
    `{max: ${max}, ${burst}until: 2026-12-31, reason: r, approved_by: a@b.example}`;
  const policy = await policyWith(
    t,
    `
acme: {plan: wide, owner: a@b.example, timezone: UTC, unlisted: allow, overrides: {wide-key: ${override('20 requests per second')}}}
acme/team: {overrides: {wide-key: ${override('40 requests per second', 'burst: 80, ')}}}
acme/team/x: {}
`,
  );
  const of = (path: string) => {
    const found = policy.account(path)?.limits.find(({ limit }) => limit.name === 'wide-key')?.override;
    return found && [found.max, found.burst];
  };
  assert.deepEqual(of('acme'), [20, undefined]);
  assert.deepEqual(of('acme/other'), [20, undefined]);
  assert.deepEqual(of('acme/team'), [40, 80]);
  assert.deepEqual(of('acme/team/x'), [40, 80]);
  assert.equal(policy.account('acme')?.limits.find(({ limit }) => limit.name === 'wide-month')?.override, undefined);
});

test('overrides that cannot stand are errors', async (t) => {
  const rows: readonly [account: string, name: string, value: string, rule: string | undefined][] = [
    ['acme/team', 'wide-customer', 'max: 2k tokens per day', 'override-scope'],
    ['acme/team', 'wide-month', 'max: 200 USD per month', 'override-scope'],
    ['acme/team', 'wide-cost', 'max: 200 USD cost per day', 'override-scope'],
    ['acme', 'wide-month', 'max: 200 USD per year', 'override-unit'],
    ['acme', 'wide-month', 'max: 200 USD cost per month', 'override-unit'],
    ['acme', 'wide-month', 'max: 200 USD', 'override-unit'],
    ['acme', 'wide-month', 'max: 200 USD per month, burst: 5', 'override-unit'],
    ['acme', 'wide-key', 'max: 20 requests per minute', 'override-unit'],
    ['acme', 'in-flight', 'max: 20 requests per second', 'override-unit'],
    ['acme', 'in-flight', 'max: 100 in flight', undefined],
    ['acme', 'wide-off', 'max: 2 tokens per day', undefined],
    ['acme', 'wide-customer', 'max: 2k tokens per day', undefined],
    ['acme/team', 'key-burst', 'max: 30 requests per second', undefined],
  ];
  for (const [index, [account, name, value, rule]] of rows.entries()) {
    const own = (path: string) =>
      path === account
        ? `overrides: {${name}: {${value}, until: 2026-12-31, reason: r, approved_by: a@b.example}}`
        : '';
    const accounts = `acme: {plan: wide, owner: a@b.example, timezone: UTC, unlisted: allow, ${own('acme')}}\nacme/team: {tags: {a: b}, ${own('acme/team')}}\n`;
    const { problems } = await loadWith(t, { 'plans.yaml': PLANS, 'accounts/acme.yaml': accounts });
    assert.deepEqual(
      problems.map((problem) => problem.rule),
      rule === undefined ? [] : [rule],
      `row ${index}`,
    );
  }
});

test('enforce: the file, the plan and the bundle weaken their limits, off leaves them out', async (t) => {
  const files = {
    'plans.yaml': PLANS.replace('  narrow:\n', '  narrow:\n    enforce: observe\n'),
    'accounts/acme.yaml': TREE,
  };
  const modes = (policy: Policy) =>
    new Map(policy.account('acme/team')?.limits.map(({ limit }) => [limit.name, limit.enforce]));
  const plan = policyOf(await loadWith(t, files));
  assert.equal(plan.account('acme/team')?.plan?.enforce, 'observe');
  assert.deepEqual(
    [modes(plan).get('narrow-day'), modes(plan).get('wide-month'), modes(plan).get('team')],
    ['observe', 'on', 'on'],
  );
  const traffic =
    'owner: p@acme.example\nenforce: off\nroutes: {chat: {dialect: openai-chat, match: {method: POST, path: /v1/chat/completions}}, models: {match: {method: GET, path: /v1/models}, metered: false}}\nlimits: [{name: key-burst, max: 5 in flight, each: credential}]\n';
  const off = policyOf(await loadWith(t, { ...files, 'traffic.yaml': traffic }));
  assert.equal(modes(off).has('key-burst'), false);
  assert.equal(off.route('GET', '/v1/models')?.enforce, 'off');
  assert.deepEqual(off.classes, ['interactive', 'agentic', 'batch']);
  const access =
    'owner: s@acme.example\nenvironment: prod\nenforce: observe\nrules: [{name: all, allow: {accounts: ["**"]}}]\n';
  const observed = policyOf(await loadWith(t, { ...files, 'access.yaml': access }));
  assert.equal(observed.enforce, 'observe');
  assert.deepEqual(new Set(modes(observed).values()), new Set(['observe']));
});
