import { Command } from 'commander';
import { parseDay } from '../core/day.ts';
import { TollgateError } from '../core/errors.ts';
import { alignedTable, printable } from '../core/table.ts';
import { type AuditBook, openAuditReader } from '../ledger/audit-book.ts';
import { type AuditRecord, shownRecord } from '../ledger/audit-record.ts';
import { fileOf } from './bundle.ts';
import { jsonText } from './json.ts';

interface AuditOptions {
  readonly config?: string;
  readonly audit?: string;
  readonly since?: string;
  readonly who?: string;
  readonly verb?: string;
  readonly limit: string;
  readonly json?: boolean;
  readonly verify?: boolean;
  readonly head?: string;
}

const LIMIT_MAX = 10_000;

/** `tollgate audit`: who changed what, and whether the record of it is whole. */
export function auditCommand(): Command {
  return new Command('audit')
    .description('who changed what, when, and whether the record of it is whole')
    .option('--config <dir>', 'directory of tollgate.yaml, which names the file')
    .option('--audit <file>', 'the file, instead')
    .option('--since <day>', 'records from 00:00 UTC of this day on, like 2026-01-31')
    .option('--who <name>', 'records of this one, exact')
    .option('--verb <verb>', 'records of this deed, like `key_create`')
    .option('--limit <n>', `records at most, the newest first, 1 to ${LIMIT_MAX}`, '50')
    .option('--json', 'print JSON')
    .option('--verify', 'recompute the chain of hashes instead, and print its head')
    .option('--head <seq:hash>', 'with --verify: a head that was noted earlier must still be part of the chain')
    .addHelpText(
      'after',
      `
Records are chained: one that was changed or taken out breaks the chain. A file that was made anew from the first record
on does not; note the head elsewhere (the log of \`tollgate serve\` has it with every record), and give it as --head.
Exit codes: 0 shown, or whole; 1 broken, or no such file; 2 wrong usage.

Examples:
  $ tollgate audit --config ./bundle --since 2026-01-01 --verb key_create
  $ tollgate audit --config ./bundle --verify`,
    )
    .action(async (options: AuditOptions) => {
      const { audit: given, config } = options;
      const file = await fileOf({ given, config, option: '--audit' }, (settings) => settings.audit.path);
      const book = openAuditReader(file);
      if (book === undefined) {
        throw new TollgateError('not_found', `there is no audit at \`${file}\`; the first change makes it`);
      }
      try {
        if (options.verify === true) verify(book, options);
        else show(book, options);
      } finally {
        book.close();
      }
    });
}

function show(book: AuditBook, { since, who, verb, limit, json }: AuditOptions): void {
  const sinceMs = since === undefined ? undefined : parseDay(since);
  if (since !== undefined && sinceMs === undefined) {
    throw new TollgateError('usage', `\`--since\` takes a day, as \`2026-01-31\`; got \`${since}\``);
  }
  const count = /^[0-9]{1,5}$/.test(limit) ? Number(limit) : 0;
  if (count < 1 || count > LIMIT_MAX) {
    throw new TollgateError('usage', `\`--limit\` takes 1 to ${LIMIT_MAX}; got \`${limit}\``);
  }
  const records = book.list({
    limit: count,
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(who === undefined ? {} : { who }),
    ...(verb === undefined ? {} : { verb }),
  });
  process.stdout.write(json === true ? jsonText(records.map(shownRecord)) : tableOf(records));
}

const COLUMNS = ['at', 'who', 'role', 'verb', 'object', 'outcome', 'what'] as const;

function tableOf(records: readonly AuditRecord[]): string {
  return alignedTable(
    COLUMNS.map((name) => ({ name, kind: 'text' })),
    records.map((record) => [
      new Date(record.atMs).toISOString(),
      record.who,
      record.role,
      record.verb,
      record.object,
      record.outcome,
      whatOf(record),
    ]),
  );
}

function whatOf({ before, after, why }: AuditRecord): string {
  const change = [before, after].map((value) => (value === undefined ? '' : JSON.stringify(value)));
  const text = change[0] === '' ? change[1]! : `${change[0]} -> ${change[1]}`;
  return [text, why ?? ''].filter((part) => part !== '').join('; ');
}

/** Says how the chain stands; exit 1 where it is broken, or where a head that was noted is not part of it. */
function verify(book: AuditBook, { head, json }: AuditOptions): void {
  const noted = head === undefined ? undefined : /^([1-9][0-9]{0,14}):([0-9a-f]{64})$/.exec(head);
  if (noted === null) throw new TollgateError('usage', '`--head` takes a head as `--verify` prints it');
  const verdict = book.verify();
  const isPart = noted === undefined || book.hashAt(Number(noted[1])) === noted[2];
  if (json === true) process.stdout.write(jsonText({ ...verdict, ...(noted && { head_is_part: isPart }) }));
  else if (verdict.outcome === 'broken') {
    process.stdout.write(`broken at record ${verdict.seq}: ${printable(verdict.why)}\n`);
  } else process.stdout.write(`whole: ${verdict.records} records, head ${verdict.head}\n`);
  if (!isPart && json !== true) process.stdout.write(`the head that was noted is not part of it\n`);
  if (verdict.outcome === 'broken' || !isPart) process.exitCode = 1;
}
