import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IdentityRefusal, Principal } from '../../src/identity/principal.ts';
import { VerdictCache } from '../../src/identity/verdict-cache.ts';

const PRINCIPAL: Principal = {
  account: 'acme',
  credential: 'k7f3q2',
  kind: 'service',
  proof: 'api_key',
  actor: undefined,
  class: 'interactive',
  confidence: 'exact',
};
const REFUSAL: IdentityRefusal = { reason: 'credential_unknown', detail: '' };
const NEVER = Number.POSITIVE_INFINITY;

test('numbered rows: stored at 1000, asked at', () => {
  const rows: [what: 'principal' | 'refusal', untilMs: number, nowMs: number, there: boolean][] = [
    ['principal', NEVER, 1000, true],
    ['principal', NEVER, 60_999, true],
    ['principal', NEVER, 61_000, false],
    ['principal', 1500, 1499, true],
    ['principal', 1500, 1500, false],
    ['principal', 500, 1000, false],
    ['principal', NEVER, 999, false],
    ['refusal', NEVER, 5999, true],
    ['refusal', NEVER, 6000, false],
    ['refusal', 1500, 1500, false],
    ['refusal', NEVER, 999, false],
  ];
  for (const [i, [what, untilMs, nowMs, there]] of rows.entries()) {
    const cache = new VerdictCache();
    if (what === 'principal') cache.putPrincipal('h', PRINCIPAL, { nowMs: 1000, untilMs });
    else cache.putRefusal('h', REFUSAL, { nowMs: 1000, untilMs });
    assert.equal(cache.get('h', nowMs) !== undefined, there, `row ${i + 1}`);
  }
});

test('the newest verdict stands, whichever kind it is', () => {
  const cache = new VerdictCache();
  cache.putRefusal('h', REFUSAL, { nowMs: 0, untilMs: NEVER });
  cache.putPrincipal('h', PRINCIPAL, { nowMs: 1, untilMs: NEVER });
  assert.equal(cache.get('h', 1), PRINCIPAL);
  cache.putRefusal('h', REFUSAL, { nowMs: 2, untilMs: NEVER });
  assert.equal(cache.get('h', 2), REFUSAL);
});

test('K10 a flood of bad keys costs 2 000 entries and drives no good one out', () => {
  const cache = new VerdictCache();
  cache.putPrincipal('good', PRINCIPAL, { nowMs: 0, untilMs: NEVER });
  for (let i = 0; i < 60_000; i++) cache.putRefusal(`bad ${i}`, REFUSAL, { nowMs: 0, untilMs: NEVER });
  assert.deepEqual(cache.size, { principals: 1, refusals: 2000 });
  assert.equal(cache.get('good', 0), PRINCIPAL);
});

test('at most 50 000 principals, the longest unused goes', () => {
  const cache = new VerdictCache();
  for (let i = 0; i <= 50_000; i++) cache.putPrincipal(`good ${i}`, PRINCIPAL, { nowMs: 0, untilMs: NEVER });
  assert.equal(cache.size.principals, 50_000);
  assert.equal(cache.get('good 0', 0), undefined);
  assert.equal(cache.get('good 1', 0), PRINCIPAL);
});
