import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { REASONS, type Reason } from '../../src/core/reasons.ts';
import type { Problem } from '../../src/dialects/dialect.ts';
import { problemJson } from '../../src/dialects/dialects.ts';
import { anthropicError, openaiError } from '../../src/dialects/errors.ts';

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/reasons.md'), 'utf8');

/** Cells of the table's rows, whose first is a reason. */
const ROWS = PAGE.split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

test('1 the page lists every reason once, in the order of the source, and no other', () => {
  assert.deepEqual(
    ROWS.map(([reason]) => reason),
    Object.keys(REASONS).map((reason) => `\`${reason}\``),
  );
});

test('2 every row says what it means and what to do', () => {
  for (const [reason, , , , means, todo, ...more] of ROWS) {
    assert.ok(means!.length > 5 && todo!.length >= 4, reason);
    assert.deepEqual(more, []);
  }
});

for (const [reason, kind] of Object.entries(REASONS)) {
  test(`3 ${reason}: kind, statuses and codes are those that are answered`, () => {
    const problem: Problem = { reason: reason as Reason, message: 'm', decisionId: 'd' };
    const openai = openaiError(problem);
    const anthropic = anthropicError(problem);
    const detail = problemJson(problem);
    const openaiCode = JSON.parse(openai.body).error.code as string;
    const expected = [
      kind,
      `${openai.status} \`${openaiCode}\``,
      `${anthropic.status} \`${JSON.parse(anthropic.body).error.type}\``,
    ];
    const row = ROWS.find(([first]) => first === `\`${reason}\``);
    assert.deepEqual(row?.slice(1, 4), expected);
    assert.deepEqual([detail.status, JSON.parse(detail.body).code], [anthropic.status, openaiCode]);
  });
}
