/** A column of a table: text is aligned left and may hold anything; numbers and money are ours and aligned right. */
export interface Column {
  readonly name: string;
  readonly kind: 'text' | 'number' | 'money';
}

export type Cells = readonly string[];

/**
 * Rows under their heads, in columns; `totals` below a rule. Ends with a line break. Empty text cells show as `-`, but not
 * in totals. What a terminal would obey is escaped, so cells may hold any text.
 */
export function alignedTable(
  columns: readonly Column[],
  rows: readonly Cells[],
  totals: readonly Cells[] = [],
): string {
  const isText = (at: number): boolean => columns[at]?.kind === 'text';
  const head = columns.map(({ name }) => name);
  const body = rows.map((row) => row.map((cell, at) => (isText(at) ? printable(cell === '' ? '-' : cell) : cell)));
  const sums = totals.map((row) => row.map(printable));
  const widths = head.map((name) => name.length);
  for (const cells of [...body, ...sums]) {
    for (const [at, cell] of cells.entries()) widths[at] = Math.max(widths[at]!, cell.length);
  }
  const print = (cells: Cells): string =>
    cells
      .map((cell, at) => (isText(at) ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  const below = sums.length > 0 ? [rule, ...sums.map(print)] : [];
  return `${[print(head), rule, ...body.map(print), ...below].join('\n')}\n`;
}

/** Text for a terminal: control, format and separator characters as `\uXXXX`, those beyond U+FFFF as `\u{XXXXX}`. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => {
    const code = char.codePointAt(0)!.toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, '0')}`;
  });
}
