import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import type { Difference, Verdict } from '../../src/ledger/difference.ts';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import { renderWouldRefuse } from '../../src/ledger/render-would-refuse.ts';
import type { ReportQuery } from '../../src/ledger/report-query.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite-ledger.ts';
import type { WouldRefuse } from '../../src/ledger/would-refuse.ts';
import { tempDir } from '../support/temp.ts';
import { holdOf, NOON_MS } from './rows.ts';

const ALL: ReportQuery = { by: ['account'], fromMs: undefined, toMs: undefined, zone: 'UTC', account: undefined };
const ALLOWED: Verdict = { outcome: 'allow', reason: '', limit: '', model: 'gpt-5' };
const REFUSED: Verdict = { outcome: 'deny', reason: 'limit_exceeded', limit: 'team-spend', model: '' };

const differenceOf = (parts: Partial<Difference> = {}): Difference => ({
  sinceMs: NOON_MS,
  policyVersion: 'a',
  observedVersion: 'b',
  account: 'acme/search',
  route: 'chat',
  requestedModel: 'gpt-5',
  was: ALLOWED,
  would: REFUSED,
  count: 3,
  example: 'xaaq2c7b-1',
  ...parts,
});

async function ledgerOf(t: TestContext) {
  const file = join(await tempDir(t), 'ledger.db');
  const ledger = await openSqliteLedger({ file });
  t.after(() => ledger.close());
  const read = async (query: Partial<ReportQuery> = {}): Promise<WouldRefuse> => {
    await ledger.flush();
    const reader = openLedgerReader(file);
    try {
      return reader.wouldRefuse({ ...ALL, ...query });
    } finally {
      reader.close();
    }
  };
  return { file, ledger, read };
}

test('what is in observe is counted by account, model and name; a call of two names stands under both', async (t) => {
  const { ledger, read } = await ledgerOf(t);
  for (const observed of [['team-spend'], ['team-spend', 'no-previews'], []])
    ledger.hold(holdOf(ledger.id, { observed }));
  ledger.hold(holdOf(ledger.id, { observed: ['team-spend'], account: 'globex', customer: 'globex' }));
  ledger.hold(holdOf(ledger.id, { observed: ['team-spend'], decidedAtMs: NOON_MS + 86_400_000 }));
  const { account, model } = holdOf(ledger.id);
  assert.deepEqual((await read({ toMs: NOON_MS + 1 })).observed, [
    { account, model, by: 'team-spend', requests: 2n },
    { account, model, by: 'no-previews', requests: 1n },
    { account: 'globex', model, by: 'team-spend', requests: 1n },
  ]);
  assert.deepEqual((await read({ account: 'globex' })).observed, [
    { account: 'globex', model, by: 'team-spend', requests: 1n },
  ]);
});

test('differences add up over intervals, equal answers are what was compared, and a repetition changes nothing', async (t) => {
  const { ledger, read } = await ledgerOf(t);
  const later = differenceOf({ sinceMs: NOON_MS + 60_000, count: 4, example: 'xaaq2c7b-2' });
  for (let times = 0; times < 3; times += 1) {
    ledger.differ(differenceOf());
    ledger.differ(later);
    ledger.differ(differenceOf({ would: ALLOWED, count: 80 }));
    ledger.differ(differenceOf({ would: { ...ALLOWED, limit: 'team-tokens' }, count: 10 }));
  }
  const { compared, differing, differences } = await read();
  assert.deepEqual({ compared, differing }, { compared: 97n, differing: 7n });
  assert.deepEqual(differences, [
    {
      observedVersion: 'b',
      account: 'acme/search',
      route: 'chat',
      requestedModel: 'gpt-5',
      was: ALLOWED,
      would: REFUSED,
      requests: 7n,
      example: 'xaaq2c7b-2',
    },
  ]);
  assert.equal((await read({ account: 'globex' })).compared, 0n);
});

test('a ledger that an older version wrote has nothing compared, and gets the table when it is opened again', async (t) => {
  const { file, ledger } = await ledgerOf(t);
  await ledger.close();
  const db = new DatabaseSync(file);
  db.exec('DROP TABLE differences; DROP INDEX counters_by_drop; PRAGMA user_version = 1');
  db.close();
  const reader = openLedgerReader(file);
  assert.deepEqual(reader.wouldRefuse(ALL), { observed: [], differences: [], compared: 0n, differing: 0n });
  reader.close();
  const again = await openSqliteLedger({ file });
  t.after(() => again.close());
  again.differ(differenceOf());
  await again.flush();
  const after = openLedgerReader(file);
  assert.equal(after.wouldRefuse(ALL).differing, 3n);
  after.close();
});

const STEP: Verdict = { outcome: 'allow', reason: '', limit: 'team-tokens', model: 'gpt-5-mini' };

test('tables for people, JSON for programs', () => {
  const found: WouldRefuse = {
    observed: [{ account: 'acme', model: 'gpt-5', by: 'team-spend', requests: 12n }],
    differences: [{ ...differenceOf({ would: STEP }), requests: 7n }],
    compared: 97n,
    differing: 7n,
  };
  assert.equal(
    renderWouldRefuse(found, { format: 'table' }),
    `account  model  would be refused by  requests
-------  -----  -------------------  --------
acme     gpt-5  team-spend                 12

7 of 97 requests would have been answered in another way by the observed bundle
account      route  model  now             observed bundle                     for example  requests
-----------  -----  -----  --------------  ----------------------------------  -----------  --------
acme/search  chat   gpt-5  allowed, gpt-5  allowed, gpt-5-mini by team-tokens  xaaq2c7b-1          7
`,
  );
  assert.deepEqual(JSON.parse(renderWouldRefuse(found, { format: 'json' })).differences[0].would, STEP);
  const nothing: WouldRefuse = { observed: [], differences: [], compared: 0n, differing: 0n };
  assert.match(renderWouldRefuse(nothing, { format: 'table' }), /^no served request .*\n\nno observed bundle .*\n$/);
});
