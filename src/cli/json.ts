/** What `--json` prints: indented by two, BigInt as text, a line break at the end. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(value, (_key, each) => (typeof each === 'bigint' ? each.toString() : each), 2)}\n`;
}
