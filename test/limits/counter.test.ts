import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { UNITS } from '../../src/core/units.ts';
import { counterName, counterPrefix, customerOf, ownerOf, partitionOf, unitOf } from '../../src/limits/counter.ts';
import { aBound, month } from './limits.ts';

describe('a counter’s name', () => {
  const bucket = { kind: 'bucket', n: 1, p: 50, burst: 40, periodMs: 1000 } as const;
  const long = 'x'.repeat(41);
  type Row = [bound: ReturnType<typeof aBound>, partition: string, from: number | undefined, name: string];
  const rows: readonly Row[] = [
    /* 1 */ [
      aBound({ name: 'key-burst', unit: 'requests', shape: bucket }),
      'k7f3q2',
      undefined,
      'acme|key-burst|bucket,requests,1000,|k7f3q2|',
    ],
    /* 2 */ [
      aBound({ name: 'in-flight', unit: 'requests', shape: { kind: 'slots' } }),
      'acme',
      undefined,
      'acme|in-flight|slots,requests,,|acme|',
    ],
    /* 3 */ [
      aBound({ name: 'spend', shape: month }),
      '',
      1_772_319_600_000,
      'acme|spend|window,charge,month,Europe/Berlin||1772319600000',
    ],
    /* 4: another anchor is another period */ [
      aBound({ name: 'spend', shape: month }, { monthStarts: 15 }),
      '',
      5,
      'acme|spend|window,charge,month@15,Europe/Berlin||5',
    ],
    /* 5: but not of a day */ [
      aBound(
        { name: 'spend', shape: { kind: 'window', period: { kind: 'calendar', unit: 'day' } } },
        { monthStarts: 15 },
      ),
      '',
      5,
      'acme|spend|window,charge,day,Europe/Berlin||5',
    ],
    /* 6: fixed windows have no zone */ [
      aBound({ name: 'spend', shape: { kind: 'window', period: { kind: 'fixed', ms: 60_000 } } }),
      '',
      0,
      'acme|spend|window,charge,60000,||0',
    ],
    /* 7 */ [
      aBound({ name: 'run', shape: { kind: 'total' } }, { owner: 'acme/search' }),
      'r-1',
      undefined,
      'acme/search|run|total,charge,,|r-1|',
    ],
    /* 8: what could be mistaken is encoded */ [
      aBound({ name: 'run', shape: { kind: 'total' } }),
      'a|b,#%~ü',
      undefined,
      'acme|run|total,charge,,|a%007cb%002c%0023%0025%007e%00fc|',
    ],
    /* 9: what is long is hashed */ [
      aBound({ name: 'run', shape: { kind: 'total' } }),
      long,
      undefined,
      'acme|run|total,charge,,|#-R2pPMhxmBngL0LPSAaCLrJ0ou_NaGag|',
    ],
  ];
  for (const [index, [bound, partition, from, name]] of rows.entries()) {
    it(`${index + 1}: ${name}`, () => assert.equal(counterName(counterPrefix(bound), { partition, from }), name));
  }

  it('tells any two partitions apart', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 50 }),
      fc.string({ unit: fc.constantFrom('|', '%', '#', 'a', '\ud800'), maxLength: 45 }),
    );
    fc.assert(
      fc.property(text, text, (one, other) => {
        const name = (partition: string) => counterName('p|', { partition, from: undefined });
        assert.equal(name(one) === name(other), one === other);
        assert.match(name(one), /^p\|[^|]*\|$/);
        assert.ok(name(one).length <= 3 + 5 * 40);
      }),
      { seed: 40, numRuns: 500 },
    );
  });

  it('gives its customer back', () => {
    const limit = { name: 'x', shape: { kind: 'slots' } } as const;
    for (const [owner, customer] of [
      ['acme', 'acme'],
      ['acme/search/batch', 'acme'],
      ['a|c me/x', 'a|c me'],
    ] as const) {
      assert.equal(
        customerOf(counterName(counterPrefix(aBound(limit, { owner })), { partition: 'a/b', from: undefined })),
        customer,
      );
    }
  });

  it('gives its owner and its unit back', () => {
    for (const unit of UNITS) {
      const prefix = counterPrefix(aBound({ name: 'a|b,c', unit }, { owner: 'acme/se,arch|x' }));
      const name = counterName(prefix, { partition: 'tokens|,', from: 5 });
      assert.deepEqual([ownerOf(name), unitOf(name)], ['acme/se,arch|x', unit]);
    }
    assert.equal(unitOf('of|no,charge'), undefined);
  });
});

describe('the partition of a limit', () => {
  const facts = { customer: 'acme', account: 'acme/search', credential: 'k1', actor: 'ann', run: 'r', model: 'm' };
  const rows = [
    /* 1 */ [undefined, facts, ''],
    /* 2 */ ['customer', facts, 'acme'],
    /* 3 */ ['account', facts, 'acme/search'],
    /* 4 */ ['credential', facts, 'k1'],
    /* 5 */ ['actor', facts, 'actor:ann'],
    /* 6: the credential stands in */ ['actor', { ...facts, actor: undefined }, 'credential:k1'],
    /* 7 */ ['run', facts, 'r'],
    /* 8: not asked */ ['run', { ...facts, run: undefined }, undefined],
    /* 9 */ ['model', facts, 'm'],
  ] as const;
  for (const [index, [each, given, partition]] of rows.entries()) {
    it(`${index + 1}: each ${each}`, () => assert.equal(partitionOf(each, given), partition));
  }
});
