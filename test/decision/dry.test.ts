/** What would be decided: the same as is then decided, and nothing changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideDry } from '../../src/decision/dry.ts';
import type { Hold, Refusal } from '../../src/ledger/hold.ts';
import { type Asked, callOf, type Desk, deskOf, essence, NOW_MS } from './desk.ts';

const BUNDLE = {
  limits: [
    '{name: spend, max: 1000 output_tokens per hour}',
    '{name: slots, max: 2 in flight}',
    '{name: watched, max: 1 requests per day, enforce: observe}',
    '{name: new-runs, max: 1 runs per hour}',
  ],
  ladder: ['{at: 50% of spend, from: large, use: small}'],
  blocked: '{models: [tiny]}',
  runsFor: ['agentic'],
};

const run = (id: string) => [['tollgate-run', id]] as const;
const ASKED: readonly [n: number, what: string, before: (desk: Desk) => void, asked: Asked][] = [
  [1, 'allowed', () => {}, {}],
  [2, 'served by another model', (desk) => desk.settle(desk.allow().hold, { output_tokens: 450 }), {}],
  [3, 'refused by a limit', (desk) => void [desk.allow(), desk.allow()], {}],
  [4, 'a team, refused by a limit above it', (desk) => void [desk.allow(), desk.allow()], { key: 'teamkey' }],
  [5, 'observed', (desk) => desk.settle(desk.allow().hold), {}],
  [6, 'a run that begins', () => {}, { headers: run('r1') }],
  [7, 'a run that goes on', (desk) => desk.settle(desk.allow({ headers: run('r1') }).hold), { headers: run('r1') }],
  [8, 'one run too many', (desk) => desk.settle(desk.allow({ headers: run('r1') }).hold), { headers: run('r2') }],
  [9, 'without its run', () => {}, { key: 'agentkey' }],
  [10, 'blocked', () => {}, { json: { model: 'tiny' } }],
  [11, 'unknown', () => {}, { json: { model: 'nosuch' } }],
  [12, 'without a plan', () => {}, { key: 'barekey' }],
  [13, 'malformed', () => {}, { body: Buffer.from('{') }],
  [14, 'no route', () => {}, { path: '/nowhere' }],
  [15, 'not metered', () => {}, { method: 'GET', path: '/v1/models' }],
  [16, 'a stream', () => {}, { json: { stream: true } }],
];

for (const [n, what, before, asked] of ASKED) {
  test(`dry ${n}: ${what}`, async (t) => {
    const desk = await deskOf(t, BUNDLE);
    before(desk);
    desk.store.changes();
    const counts = desk.store.counts();
    const rows: readonly (readonly (Hold | Refusal)[])[] = [[...desk.holds], [...desk.refusals]];
    const { decision, refusal } = await desk.dry(asked);
    assert.deepEqual(desk.store.changes(), []);
    assert.deepEqual(desk.store.counts(), counts);
    assert.deepEqual([desk.holds, desk.refusals], rows);
    const real = desk.decide(asked);
    assert.deepEqual(essence(decision), essence(real));
    // The row that a refusal would have had is the one that it then has.
    assert.equal(refusal === undefined, desk.refusals.length === rows[1]!.length);
    if (refusal !== undefined) {
      assert.deepEqual({ ...refusal, decisionId: '' }, { ...desk.refusals.at(-1), decisionId: '' });
    }
  });
}

test('asked twice, it says the same', async (t) => {
  const desk = await deskOf(t, BUNDLE);
  desk.allow();
  const [first, second] = [await desk.dry(), await desk.dry()];
  assert.deepEqual(essence(first.decision), essence(second.decision));
});

test('somebody who would not be let in', async (t) => {
  const desk = await deskOf(t, BUNDLE);
  const caller = { reason: 'credential_revoked', detail: 'key `k7f3q2` is revoked' } as const;
  const { policy, store, clock } = desk;
  const { decision, refusal } = await decideDry({ call: callOf(), policy, caller, store, clock });
  assert.ok(decision.outcome === 'deny');
  assert.deepEqual([decision.reason, refusal], ['credential_revoked', undefined]);
});

test('what is overdue still counts, and stays', async (t) => {
  const desk = await deskOf(t, BUNDLE);
  desk.allow();
  desk.allow();
  desk.nowMs = NOW_MS + 660_000;
  desk.store.changes();
  const { decision } = await desk.dry();
  assert.equal(decision.outcome === 'deny' && decision.reason, 'concurrency_limited');
  assert.deepEqual(desk.store.changes(), []);
  assert.equal(desk.decide().outcome, 'allow');
});
