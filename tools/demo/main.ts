import { parseArgs } from 'node:util';
import { EnvoyError } from '../envoy/errors.ts';
import { SCENES } from './calls.ts';
import { type Played, play, puzzling } from './play.ts';
import { type Stack, startStack } from './stack.ts';

const HELP = `npm run demo -- [--keep] [--port N]

Starts a stub provider, Tollgate and a real Envoy, makes a few dozen calls, prints what it cost.

  --keep     leave it running, with curl lines to try, until Ctrl-C
  --port N   port of the gateway on 127.0.0.1 (default 8080; 0: any free one)

Exit codes: 0 all was shown, 1 something could not start or went wrong, 2 wrong usage
`;

async function main(): Promise<number> {
  const options = readOptions();
  if (typeof options === 'number') return options;
  const stack = await startStack({ port: options.port });
  try {
    const played: Played[] = [];
    for (const scene of SCENES) played.push(...(await play(stack, scene)));
    await stack.settled();
    await stack.report();
    list('files of this run', stack.files());
    list(
      'ask why',
      puzzling(played).map(({ what, decision }) => `${stack.explain(decision)}   # ${what}`),
    );
    if (options.keep) await keep(stack);
  } finally {
    await stack.stop();
  }
  return 0;
}

function readOptions(): { keep: boolean; port: number } | number {
  try {
    const { values } = parseArgs({
      options: { keep: { type: 'boolean' }, port: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (values.help === true) {
      process.stdout.write(HELP);
      return 0;
    }
    const port = Number(values.port ?? 8080);
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw new TypeError(`\`--port\` must be 0 to 65535; got \`${values.port}\``);
    return { keep: values.keep === true, port };
  } catch (error) {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n${HELP}`);
    return 2;
  }
}

function list(title: string, lines: readonly string[]): void {
  process.stdout.write(`\n${title}\n${lines.map((line) => `  ${line}\n`).join('')}`);
}

async function keep(stack: Stack): Promise<void> {
  list('running; try', stack.curls());
  process.stdout.write('\nCtrl-C stops all\n');
  await new Promise<void>((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  const hint =
    error instanceof EnvoyError && error.code === 'port_in_use' ? ' (`npm run demo -- --port 0`: any free one)' : '';
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}${hint}\n`);
  process.exitCode = 1;
}
