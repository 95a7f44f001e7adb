import { Command, Option } from 'commander';
import { TollgateError } from '../core/errors.ts';
import { FORMATS, type Format, renderReport } from '../ledger/render.ts';
import { renderWouldRefuse } from '../ledger/render-would-refuse.ts';
import type { Report } from '../ledger/report.ts';
import { type ReportQuery, readDays, readDimensions } from '../ledger/report-query.ts';
import { isAccountPath } from '../policy/forms.ts';
import { type LedgerOptions, readLedger } from './ledger-option.ts';

interface ReportOptions extends LedgerOptions {
  readonly by: string;
  readonly from?: string;
  readonly to?: string;
  readonly zone: string;
  readonly account?: string;
  readonly format: Format;
  readonly json?: boolean;
  readonly refusals?: boolean;
  readonly wouldRefuse?: boolean;
}

/** `tollgate report`: who used what, what they pay, what it cost. Reads the ledger alone, also while `serve` writes it. */
export function reportCommand(): Command {
  return new Command('report')
    .description('usage, charge, cost and margin from the ledger')
    .option('--ledger <file>', 'the ledger file')
    .option('--config <dir>', 'directory of the bundle, whose tollgate.yaml names the ledger')
    .option(
      '--by <list>',
      'rows by account, model, day, credential, class, plan, meter, tag:NAME',
      'account,model,meter',
    )
    .option('--from <date>', 'first day, by the time of the decision')
    .option('--to <date>', 'last day, inclusive')
    .option('--zone <name>', 'time zone of days', 'UTC')
    .option('--account <path>', 'this account and all below it')
    .option('--refusals', 'count refused requests as well; with `--format csv` instead')
    .addOption(
      new Option(
        '--would-refuse',
        'instead: what rules, limits and a bundle that are only observed would have refused',
      ).conflicts(['refusals', 'by']),
    )
    .addOption(new Option('--format <format>', 'how it is printed').choices(FORMATS).default('table'))
    .addOption(new Option('--json', 'the same as `--format json`').conflicts('format'))
    .addHelpText(
      'after',
      `
A meter is a token class; \`reasoning\` tokens lie inside \`output\`. Every view adds up to the same totals, to the unit.
A request that used several meters stands in several rows of them, and once in the total.
Exit codes: 0 done, 1 the ledger cannot be read, 2 wrong usage.

Examples:
  $ tollgate report --config ./bundle --by account,model,meter --from 2026-01-01 --to 2026-01-31
  $ tollgate report --config ./bundle --would-refuse --account acme`,
    )
    .action(async (options: ReportOptions) => {
      process.stdout.write(await runReport(options));
    });
}

async function runReport(options: ReportOptions): Promise<string> {
  const query: ReportQuery = {
    by: readDimensions(options.by),
    ...readDays({ from: options.from, to: options.to, zone: options.zone }),
    zone: options.zone,
    account: accountOf(options.account),
  };
  const format = options.json === true ? 'json' : options.format;
  return readLedger(options, (reader) => {
    if (options.wouldRefuse === true) {
      if (format === 'csv') throw new TollgateError('usage', '`--would-refuse` prints `table` or `json`; got `csv`');
      return renderWouldRefuse(reader.wouldRefuse(query), { format });
    }
    const report: Report = reader.report(query);
    const refusals = options.refusals === true ? reader.refusals(query) : undefined;
    return renderReport(report, { format, refusals });
  });
}

/** A pattern matches nothing here, and an empty bill is believed. */
function accountOf(text: string | undefined): string | undefined {
  if (text === undefined || isAccountPath(text)) return text;
  throw new TollgateError(
    'usage',
    `\`--account\` takes a path like \`acme/search\`, with all below it; got \`${text}\``,
  );
}
