/** `node tools/envoy/main.ts` prints the path of the Envoy that demo and tests run, after installing it if need be. */
import { EnvoyError } from './errors.ts';
import { findEnvoy } from './find.ts';

try {
  process.stdout.write(`${await findEnvoy()}\n`);
} catch (error) {
  if (!(error instanceof EnvoyError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
