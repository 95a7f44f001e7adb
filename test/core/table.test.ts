import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alignedTable, type Column, printable } from '../../src/core/table.ts';

const COLUMNS: readonly Column[] = [
  { name: 'account', kind: 'text' },
  { name: 'requests', kind: 'number' },
  { name: 'note', kind: 'text' },
];

test('1 text to the left, numbers to the right, totals below a rule, nothing behind the last cell', () => {
  const rows = [
    ['acme/search', '12', 'a'],
    ['globex', '1234567890', ''],
  ];
  assert.equal(
    alignedTable(COLUMNS, rows, [['total', '1234567902', '']]),
    [
      'account        requests  note',
      '-----------  ----------  ----',
      'acme/search          12  a',
      'globex       1234567890  -',
      '-----------  ----------  ----',
      'total        1234567902',
      '',
    ].join('\n'),
  );
});

test('2 without rows: the heads and a rule', () => {
  assert.equal(alignedTable(COLUMNS, []), 'account  requests  note\n-------  --------  ----\n');
});

test('3 what a terminal would obey is escaped in texts and totals, and counted in the width', () => {
  const [head, , row, , total] = alignedTable(COLUMNS, [['\x1b[2J', '1', 'x']], [['a\nb', '1', '']]).split('\n');
  assert.equal(head, 'account    requests  note');
  assert.equal(row, '\\u001b[2J         1  x');
  assert.equal(total, 'a\\u000ab          1');
});

test('4 a table may have more rows than a call has arguments', () => {
  const rows = Array.from({ length: 200_000 }, (_, i) => [`a${i}`, '1', 'x']);
  assert.equal(alignedTable(COLUMNS, rows).split('\n').length, rows.length + 3);
});

const TEXTS: readonly (readonly [text: string, shown: string])[] = [
  ['plain, Grüße, 世界 😀', 'plain, Grüße, 世界 😀'],
  ['tab\tCR\rNUL\0DEL\x7fC1\x9b', 'tab\\u0009CR\\u000dNUL\\u0000DEL\\u007fC1\\u009b'],
  ['\u2028\u2029', '\\u2028\\u2029'],
  ['a\u202eb\u200bc\ufeff', 'a\\u202eb\\u200bc\\ufeff'],
  ['\u{e0041}', '\\u{e0041}'],
];
for (const [i, [text, shown]] of TEXTS.entries()) {
  test(`5.${i + 1} ${JSON.stringify(shown)}`, () => assert.equal(printable(text), shown));
}
