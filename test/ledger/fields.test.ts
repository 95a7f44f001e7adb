import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  FIELD_NAMES,
  FIELDS_BYTES_MAX,
  type FieldName,
  holdFromFields,
  holdToFields,
} from '../../src/ledger/fields.ts';
import type { Hold } from '../../src/ledger/hold.ts';
import { anyHold, holdOf, NOON_MS } from './rows.ts';

const LEDGER = 'abcdefgh';
const bytesOf = (fields: readonly (readonly [string, string])[]): number =>
  fields.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value) + 12, 0);
/** What travels: all but the trace and what was observed. */
const travelled = (hold: Hold): Hold => ({ ...hold, trace: [], observed: [] });

test('every field is there, each once, in one order', () => {
  for (const hold of [holdOf(LEDGER), holdOf(LEDGER, { actor: undefined, spends: [], tags: {}, model: undefined })]) {
    assert.deepEqual(
      holdToFields(hold).map(([name]) => name),
      [...FIELD_NAMES],
    );
  }
});

test('any hold is read back as it was, within 4 KiB', () => {
  fc.assert(
    fc.property(anyHold(LEDGER), (hold) => {
      const fields = holdToFields(hold);
      assert.equal(bytesOf(fields) <= FIELDS_BYTES_MAX, true);
      assert.deepEqual(holdFromFields(new Map(fields)), travelled(hold));
    }),
    { seed: 9, numRuns: 300 },
  );
});

/** Spends and tags of these sizes; which of them are left out. */
const SIZES: readonly [spends: number, tagChars: number, tag: string, omitted: string, tags: boolean][] = [
  [1, 10, 'x', 'false', true],
  [12, 10, 'x', 'false', true],
  [40, 10, 'x', 'true', true],
  [1, 2_000, 'x', 'false', true],
  [1, 2_000, '€', 'true', false],
  [1, 4_000, 'x', 'true', false],
  [0, 4_000, 'x', 'true', false],
];

for (const [index, [spends, tagChars, tag, omitted, tags]] of SIZES.entries()) {
  test(`size ${index + 1}: ${spends} spends and ${tagChars} characters of tags`, () => {
    const [spend] = holdOf(LEDGER).spends;
    const hold = holdOf(LEDGER, {
      spends: Array.from({ length: spends }, (_, at) => ({ ...spend!, counter: `${spend!.counter}${at}` })),
      tags: { note: tag.repeat(tagChars) },
    });
    const fields = new Map(holdToFields(hold));
    assert.equal(bytesOf([...fields]) <= FIELDS_BYTES_MAX, true);
    assert.equal(fields.get('spends_omitted'), omitted);
    assert.equal(fields.get('spends') === '', omitted === 'true');
    assert.deepEqual(
      holdFromFields(fields),
      travelled({ ...hold, spends: omitted === 'true' ? [] : hold.spends, tags: tags ? hold.tags : {} }),
    );
  });
}

describe('what is not ours is not read', () => {
  const BAD: readonly [field: FieldName, value: string | undefined][] = [
    ...FIELD_NAMES.map((name): [FieldName, undefined] => [name, undefined]),
    ['decision_id', ''],
    ['decision_id', 'abcdefgh-0199aaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee'],
    ['outcome', 'deny'],
    ['outcome', 'Allow'],
    ['reason', 'rate_limited'],
    ['account', ''],
    ['credential', ''],
    ['class', ''],
    ['route', ''],
    ['confidence', 'high'],
    ['stream', '1'],
    ['bill_estimated', 'yes'],
    ['mode', ''],
    ['spends_omitted', ''],
    ['spends_omitted', 'true'],
    ['decided_at_ms', ''],
    ['decided_at_ms', '-1'],
    ['decided_at_ms', '01'],
    ['decided_at_ms', '1e3'],
    ['decided_at_ms', String(NOON_MS + 1)],
    ['decided_at_ms', '9007199254740991'],
    ['expires_at_ms', String(NOON_MS - 1)],
    ['expires_at_ms', ' 1'],
    ['expires_at_ms', '9007199254740992'],
    ['expires_at_ms', '99999999999999999'],
    ['estimate', ''],
    ['estimate', '[1,2,3,4]'],
    ['estimate', '[1,2,3,4,5,6]'],
    ['estimate', '[1,2,3,4,-5]'],
    ['estimate', '[1,2,3,4,0.5]'],
    ['estimate', '[1,2,3,4,"5"]'],
    ['estimate', '{"length":5}'],
    ['tags', '[]'],
    ['tags', 'null'],
    ['tags', '{"a":1}'],
    ['tags', '{'],
    ['spends', ''],
    ['spends', '{}'],
    ['spends', '[null]'],
    ['spends', '[["c","l","window","charge",1,"keep",null,null]]'],
    ['spends', '[["","l","window","charge",1,"keep",null,null,null]]'],
    ['spends', '[["c","","window","charge",1,"keep",null,null,null]]'],
    ['spends', '[["c","l","door","charge",1,"keep",null,null,null]]'],
    ['spends', '[["c","l","window","euro",1,"keep",null,null,null]]'],
    ['spends', '[["c","l","window","charge",-1,"keep",null,null,null]]'],
    ['spends', '[["c","l","window","charge",1,"burn",null,null,null]]'],
    ['spends', '[["c","l","window","charge",1,"keep",null,null,"1"]]'],
    ['spends', `[${'['.repeat(3_000)}`],
    ['spends', `[${'1,'.repeat(5_000)}1]`],
  ];
  for (const [index, [name, value]] of BAD.entries()) {
    test(`${index + 1}: ${name} is ${value === undefined ? 'missing' : `\`${value.slice(0, 60)}\``}`, () => {
      const fields = new Map<string, string>(holdToFields(holdOf(LEDGER)));
      assert.notEqual(holdFromFields(fields), undefined);
      if (value === undefined) fields.delete(name);
      else fields.set(name, value);
      assert.equal(holdFromFields(fields), undefined);
    });
  }

  test('any strings at all: a hold or undefined, never an error', () => {
    const names = fc.constantFrom(...FIELD_NAMES);
    fc.assert(
      fc.property(fc.array(fc.tuple(names, fc.oneof(fc.string(), fc.json()))), (changes) => {
        const fields = new Map<string, string>([...holdToFields(holdOf(LEDGER)), ...changes]);
        const hold = holdFromFields(fields);
        assert.equal(hold === undefined || hold.decisionId === fields.get('decision_id'), true);
      }),
      { seed: 8, numRuns: 300 },
    );
  });
});
