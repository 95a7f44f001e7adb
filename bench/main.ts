import { parseArgs } from 'node:util';
import { benchDecide } from './decide.ts';
import { benchEnvoy } from './envoy.ts';
import { benchGrpc } from './grpc.ts';
import { benchLedger } from './ledger.ts';
import { benchMemory } from './memory.ts';
import { benchPolicy } from './policy.ts';
import { benchRecovery } from './recovery.ts';
import { benchRedis } from './redis.ts';
import { type BenchOptions, type Figure, machine, report } from './report.ts';
import { benchScan } from './scan.ts';
import { benchStall } from './stall.ts';
import { benchTelemetry } from './telemetry.ts';

const BENCHES: ReadonlyMap<string, (options: BenchOptions) => Promise<readonly Figure[]>> = new Map([
  ['scan', benchScan],
  ['stall', benchStall],
  ['decide', benchDecide],
  ['telemetry', benchTelemetry],
  ['policy', benchPolicy],
  ['ledger', benchLedger],
  ['grpc', benchGrpc],
  ['envoy', benchEnvoy],
  ['memory', benchMemory],
  ['recovery', benchRecovery],
  ['redis', benchRedis],
]);

const HELP = `npm run bench -- [--only NAME[,NAME]] [--quick] [--json FILE]

Measures what the design promises and prints one table; progress goes to stderr. A promise that is missed is printed as
missed, beside its bar; the exit code does not depend on it.

  --only NAME[,NAME]  some of: ${[...BENCHES.keys()].join(', ')}
  --quick             short samples, to see that it works; under 40 s for all
  --json FILE         also writes the figures to FILE

Exit codes: 0 all was measured, 1 something could not be measured, 2 wrong usage
`;

interface Options extends BenchOptions {
  readonly names: readonly string[];
  readonly json: string | undefined;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'number') return options;
  const about = Object.entries(machine()).map(([key, value]) => `${key} ${value}`);
  process.stderr.write(`${about.join(', ')}\n`);
  const figures: Figure[] = [];
  let failed = 0;
  for (const name of options.names) {
    const startMs = performance.now();
    process.stderr.write(`${name} …`);
    try {
      figures.push(...(await BENCHES.get(name)!(options)));
      process.stderr.write(` ${((performance.now() - startMs) / 1000).toFixed(1)} s\n`);
    } catch (error) {
      failed++;
      process.stderr.write(` failed: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  await report(figures, { json: options.json });
  return failed === 0 ? 0 : 1;
}

function readOptions(): Options | number {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string' },
        quick: { type: 'boolean' },
        json: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) {
      process.stdout.write(HELP);
      return 0;
    }
    const names = values.only?.split(',') ?? [...BENCHES.keys()];
    for (const name of names) {
      if (!BENCHES.has(name)) {
        throw new TypeError(`\`--only\` must name some of ${[...BENCHES.keys()].join(', ')}; got \`${name}\``);
      }
    }
    return { names, quick: values.quick === true, json: values.json };
  } catch (error) {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n${HELP}`);
    return 2;
  }
}

// Through `exit`, where children are killed and temporary directories removed.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
