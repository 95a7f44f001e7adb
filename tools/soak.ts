/**
 * `npm run test:soak [-- PART …] [SEED]`: tests of the suite, long. Without a PART all of them, some minutes each. What is drawn
 * at random is so from a new seed each time, printed; with SEED the same again. Exits 0 if all passed.
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';

interface Part {
  readonly says: string;
  readonly files: readonly string[];
  /** How long it is, told to its tests. */
  readonly env: Readonly<Record<string, string>>;
}

const PARTS: Readonly<Record<string, Part>> = {
  doors: {
    says: 'a million bodies, 100 000 paths',
    files: ['test/doors/differential.test.ts', 'test/e2e/doors.test.ts'],
    env: { DOORS_BODIES: '1000000', DOORS_PATHS: '100000' },
  },
  hostile: {
    says: 'a million hostile requests, and what a good caller beside them feels; seven minutes or more',
    files: ['test/doors/hostile-mix.test.ts'],
    env: { DOORS_REQUESTS: '1000000' },
  },
  restarts: {
    says: '20 restarts at 500 calls a second',
    files: ['test/e2e/drain.test.ts'],
    env: { DRAIN_RESTARTS: '20' },
  },
  swaps: {
    says: '1 000 swaps of the bundle under load',
    files: ['test/e2e/reload-swaps.test.ts'],
    env: { RELOAD_SWAPS: '1000' },
  },
  storm: {
    says: '10 000 streams, 300 clients a second that leave for a minute, stalls of 200 ms',
    files: ['test/e2e/storm.test.ts'],
    env: { STORM_SECONDS: '60', STORM_STREAMS: '9900' },
  },
};
const TEST_TIMEOUT_MS = 30 * 60_000;

const words = process.argv.slice(2);
const seed = words.find((word) => /^\d+$/.test(word)) ?? String(randomInt(1_000_000_000));
const named = words.filter((word) => !/^\d+$/.test(word));
const unknown = named.filter((name) => !Object.hasOwn(PARTS, name));
if (unknown.length > 0) {
  const known = Object.entries(PARTS).map(([name, { says }]) => `  ${name}: ${says}\n`);
  process.stderr.write(`soak: no part \`${unknown.join('`, `')}\`; there are\n${known.join('')}`);
  process.exit(2);
}
let failed = 0;
for (const [name, { says, files, env }] of Object.entries(PARTS)) {
  if (named.length > 0 && !named.includes(name)) continue;
  process.stdout.write(`${name}: ${says}; seed ${seed}\n`);
  const { status } = spawnSync(process.execPath, ['--test', `--test-timeout=${TEST_TIMEOUT_MS}`, ...files], {
    cwd: join(import.meta.dirname, '..'),
    stdio: 'inherit',
    env: { ...process.env, DOORS_SEED: seed, ...env },
  });
  if (status !== 0) failed += 1;
}
process.exitCode = failed > 0 ? 1 : 0;
