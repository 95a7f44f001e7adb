/**
 * `npm run test:soak [-- SEED]`: the tests of the doors, long: a million bodies, 100 000 paths, a million hostile requests. A new seed
 * each time, printed; with SEED the same ones again. Some minutes. Exits 0 if all passed.
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';

const FILES = ['test/doors/differential.test.ts', 'test/doors/hostile-mix.test.ts', 'test/e2e/doors.test.ts'];
const TEST_TIMEOUT_MS = 30 * 60_000;

const seed = process.argv[2] ?? String(randomInt(1_000_000_000));
process.stdout.write(`seed ${seed}\n`);
const { status } = spawnSync(process.execPath, ['--test', `--test-timeout=${TEST_TIMEOUT_MS}`, ...FILES], {
  cwd: join(import.meta.dirname, '..'),
  stdio: 'inherit',
  env: { ...process.env, DOORS_SEED: seed, DOORS_BODIES: '1000000', DOORS_PATHS: '100000', DOORS_REQUESTS: '1000000' },
});
process.exitCode = status ?? 1;
