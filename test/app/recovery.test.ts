import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PriceShelf } from '../../src/app/price-shelf.ts';
import { recall, recover } from '../../src/app/recovery.ts';
import type { Found, Ledger } from '../../src/ledger/ledger.ts';
import { noLedger } from '../../src/ledger/no-ledger.ts';
import { holdOf, TABLES } from '../metering/fixtures.ts';

const NOTHING: Found = { hold: undefined, isCopy: false, ended: undefined, states: [] };

/** A ledger that answers `find` as told, has one price version, and a store that notes what it is given. */
function parts(find: Ledger['find']) {
  const ledger = { ...noLedger('abcdefgh'), find, prices: async () => TABLES };
  const readmitted: string[] = [];
  const prices = new PriceShelf(60_000);
  return {
    readmitted,
    prices,
    from: { ledger, prices, nowMs: () => 0, store: { readmit: (id: string) => void readmitted.push(id) } },
  };
}

test('a decision is recalled with its prices at hand, and the store knows it', async () => {
  const hold = holdOf();
  const { from, prices, readmitted } = parts(async () => ({ ...NOTHING, hold }));
  assert.equal((await recall(hold.decisionId, from)).hold, hold);
  assert.equal(prices.get(hold.priceVersion), TABLES);
  assert.deepEqual(readmitted, [hold.decisionId]);
});

test('a ledger that does not answer is waited for two seconds; what it says later changes nothing', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { promise, resolve } = Promise.withResolvers<Found>();
  const { from, readmitted } = parts(() => promise);
  const recalled = recall('x', from);
  t.mock.timers.tick(1_999);
  assert.equal(await Promise.race([recalled, Promise.resolve('waits')]), 'waits');
  t.mock.timers.tick(1);
  await assert.rejects(recalled, { code: 'ledger_unavailable', message: 'the ledger gave no answer within 2000 ms' });
  resolve(NOTHING);
  await promise;
  assert.deepEqual(readmitted, []);
});

test('a ledger that refuses is not waited for', async () => {
  const { from, readmitted } = parts(() => Promise.reject(new Error('closed')));
  await assert.rejects(recall('x', from), /closed/);
  assert.deepEqual(readmitted, []);
});

test('a start has the prices of each open hold at hand, asked for once', async () => {
  const holds = [holdOf(), holdOf()];
  const { from, prices } = parts(async () => NOTHING);
  let asked = 0;
  const ledger = {
    ...from.ledger,
    recover: async () => ({ counters: [], holds }),
    prices: async () => {
      asked++;
      return TABLES;
    },
  };
  assert.equal((await recover({ ...from, ledger }, 0)).holds, holds);
  assert.equal(prices.get(holds[0]!.priceVersion), TABLES);
  assert.equal(asked, 1);
});
