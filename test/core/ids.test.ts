import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mintDecisionId, newLedgerId, parseDecisionId } from '../../src/core/ids.ts';

const LEDGER = 'abcdefg7';
/** 2^48 − 1: the last millisecond that a UUIDv7 holds. */
const LAST_MS = 281_474_976_710_655;
const instant = fc.integer({ min: 0, max: LAST_MS });

describe('ledger id', () => {
  test('1 eight characters of [a-z2-7], no two alike', () => {
    const ids = Array.from({ length: 1000 }, newLedgerId);
    for (const id of ids) assert.match(id, /^[a-z2-7]{8}$/);
    assert.equal(new Set(ids).size, 1000);
  });
});

describe('decision id', () => {
  test('4 the fields of RFC 9562 section 5.7: 48 bits of time, version 7, variant 10', () => {
    fc.assert(
      fc.property(instant, (nowMs) => {
        const id = mintDecisionId(LEDGER, nowMs);
        assert.equal(id.length, 45);
        const bits = BigInt(`0x${id.slice(9).replaceAll('-', '')}`);
        assert.equal(Number(bits >> 80n), nowMs);
        assert.equal((bits >> 76n) & 0xfn, 7n);
        assert.equal((bits >> 62n) & 0b11n, 0b10n);
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  test('5 a known instant: the example of RFC 9562 appendix A.6', () => {
    assert.match(
      mintDecisionId(LEDGER, 0x017f22e279b0),
      /^abcdefg7-017f22e2-79b0-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
  });

  test('6 reads back as its ledger and its instant', () => {
    fc.assert(
      fc.property(instant, (nowMs) => {
        assert.deepEqual(parseDecisionId(mintDecisionId(LEDGER, nowMs)), { ledgerId: LEDGER, mintedAtMs: nowMs });
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  test('7 sorts as its instants do', () => {
    fc.assert(
      fc.property(instant, instant, (a, b) => {
        fc.pre(a !== b);
        assert.equal(mintDecisionId(LEDGER, a) < mintDecisionId(LEDGER, b), a < b);
      }),
      { seed: 3, numRuns: 500 },
    );
  });

  test('8 no two are alike in one millisecond, over several fills of the pool', () => {
    assert.equal(new Set(Array.from({ length: 10_000 }, () => mintDecisionId(LEDGER, 1))).size, 10_000);
  });

  test('9 the random bits are random: each of the 74 is set about half the time', () => {
    const counts = new Array<number>(128).fill(0);
    for (let i = 0; i < 2000; i++) {
      const bits = BigInt(`0x${mintDecisionId(LEDGER, 0).slice(9).replaceAll('-', '')}`);
      for (let bit = 0; bit < 128; bit++) if ((bits >> BigInt(bit)) & 1n) counts[bit]!++;
    }
    const random = counts.filter((count) => count > 0 && count < 2000);
    assert.equal(random.length, 74);
    // Deviation 22 of 1000; 180 is beyond eight of them.
    for (const count of random) assert.ok(Math.abs(count - 1000) < 180, String(count));
  });

  const GOOD = 'abcdefg7-017f22e2-79b0-7cc3-98c4-dc0c0c07398f';
  test('10 the good one of the next table', () => {
    assert.deepEqual(parseDecisionId(GOOD), { ledgerId: LEDGER, mintedAtMs: 0x017f22e279b0 });
  });
  const NEAR_MISSES: [what: string, text: string][] = [
    ['empty', ''],
    ['no ledger', GOOD.slice(9)],
    ['ledger too short', GOOD.slice(1)],
    ['ledger with a 1', GOOD.replace('g7', 'g1')],
    ['ledger upper case', GOOD.replace('abc', 'ABC')],
    ['version 4', GOOD.replace('-7cc3', '-4cc3')],
    ['variant 0', GOOD.replace('-98c4', '-78c4')],
    ['variant c', GOOD.replace('-98c4', '-c8c4')],
    ['hex upper case', GOOD.toUpperCase().replace('ABCDEFG7', 'abcdefg7')],
    ['one digit short', GOOD.slice(0, -1)],
    ['one digit more', `${GOOD}0`],
    ['not hex', `${GOOD.slice(0, -1)}g`],
    ['line feed after', `${GOOD}\n`],
    ['space before', ` ${GOOD}`],
    ['braces', `{${GOOD}}`],
    ['no dashes', GOOD.replaceAll('-', '')],
    ['two ids', `${GOOD}${GOOD}`],
    ['full-width digit', GOOD.replace('017f', '０17f')],
  ];
  for (const [i, [what, text]] of NEAR_MISSES.entries()) {
    test(`11.${i + 1} ${what} is none`, () => assert.equal(parseDecisionId(text), undefined));
  }
});
