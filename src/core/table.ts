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
  const shown = [
    columns.map((column) => column.name),
    ...rows.map((row) =>
      row.map((cell, at) => (columns[at]?.kind === 'text' ? printable(cell === '' ? '-' : cell) : cell)),
    ),
    ...totals.map((row) => row.map(printable)),
  ];
  const widths = columns.map((_, at) => Math.max(...shown.map((cells) => cells[at]?.length ?? 0)));
  const print = (cells: Cells): string =>
    cells
      .map((cell, at) => (columns[at]?.kind === 'text' ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  const [head, ...body] = shown.map(print) as [string, ...string[]];
  const parts = [head, rule, ...body.slice(0, rows.length)];
  if (totals.length > 0) parts.push(rule, ...body.slice(rows.length));
  return `${parts.join('\n')}\n`;
}

/** Text for a terminal: control, format and separator characters as `\uXXXX`. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
