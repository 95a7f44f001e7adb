/**
 * Memory of a whole Tollgate at rest, and with 500,000 live counters: while they are counted, and after a restart. Run as a
 * program it is the child process that makes the counters.
 */
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { cp, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { systemClock } from '../src/core/clock.ts';
import { mintDecisionId } from '../src/core/ids.ts';
import { openSqliteLedger } from '../src/ledger/sqlite-ledger.ts';
import { MemoryLimitStore } from '../src/limits/memory-store.ts';
import { openValidity, spendOf } from '../src/limits/spend.ts';
import { RANK, type Spend } from '../src/limits/store.ts';
import { loadBundle } from '../src/policy/bundle.ts';
import type { BoundLimit } from '../src/policy/policy.ts';
import { writeBenchBundle } from './bundle.ts';
import { startProgram } from './child.ts';
import { type BenchOptions, type Figure, figureOf } from './report.ts';
import { removeTemp, tempDir } from './temp.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const SPENDS_EACH = 5;
/** What a process has just done must have settled: rows on disk, a sweep or two of the store. */
const REST_MS = 2_500;
const REST_QUICK_MS = 500;
/** Asked between two turns of the event loop; the ledger hands over in between, as it does in `serve`. */
const TURN_ASKS = 200;

/** Resident memory, unforced: nobody asks for a collection of garbage. On Linux only; elsewhere no figures. */
export async function benchMemory({ quick }: BenchOptions): Promise<readonly Figure[]> {
  if (process.platform !== 'linux') return [];
  const [counters, restMs] = quick ? [50_000, REST_QUICK_MS] : [500_000, REST_MS];
  const dir = await tempDir();
  try {
    const { path } = await writeBenchBundle(dir, 5);
    const built = await build(join(dir, 'built'));
    const fromSource = await served(join(ROOT, 'src/cli/main.ts'), path, restMs);
    const atRest = await served(built, path, restMs);
    const counting = await countingIn(path, { counters, restMs });
    const restarted = await served(built, path, restMs);
    const with500k = quick ? {} : { bar: { most: 256 } };
    const live = `${(counters / 1000).toFixed(0)}k live counters`;
    return [
      figureOf([atRest], { name: 'memory of `serve` at rest, as built', unit: 'MB', bar: { most: 150 } }),
      figureOf([fromSource], { name: 'memory of `serve` at rest, from source', unit: 'MB', bar: { most: 150 } }),
      figureOf([counting], { name: `memory with ${live}, as they are made`, unit: 'MB', ...with500k }),
      figureOf([restarted], { name: `memory of \`serve\` with ${live}, restarted, as built`, unit: 'MB', ...with500k }),
    ];
  } finally {
    await removeTemp(dir);
  }
}

/** Compiles the sources as the published package has them; answers its command. */
async function build(dir: string): Promise<string> {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const words = [
    '-p',
    join(ROOT, 'tsconfig.build.json'),
    '--outDir',
    join(dir, 'dist'),
    '--declaration',
    'false',
    '--noCheck',
  ];
  await promisify(execFile)(process.execPath, [tsc, ...words]);
  await symlink(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  await cp(join(ROOT, 'package.json'), join(dir, 'package.json'));
  return join(dir, 'dist/cli/main.js');
}

async function served(command: string, bundle: string, restMs: number): Promise<number> {
  const program = await startProgram([command, 'serve', '--config', bundle], /"code":"serving"/);
  try {
    await sleep(restMs);
    return await residentMb(program.pid);
  } finally {
    await program.stop();
  }
}

async function countingIn(bundle: string, { counters, restMs }: { counters: number; restMs: number }): Promise<number> {
  const child = fork(import.meta.filename, [bundle, String(counters)]);
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  try {
    const [answer] = await Promise.race([
      once(child, 'message') as Promise<[{ readonly counters: number }]>,
      once(child, 'exit').then((): [undefined] => [undefined]),
    ]);
    if (answer?.counters !== counters)
      throw new Error(`the child made \`${answer?.counters}\` of ${counters} counters`);
    await sleep(restMs);
    const resident = await residentMb(child.pid!);
    child.send('stop');
    await once(child, 'exit');
    return resident;
  } finally {
    kill();
    process.removeListener('exit', kill);
  }
}

async function residentMb(pid: number): Promise<number> {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kib) * 1024) / 1e6;
}

/** Store and ledger as `serve` has them; each call spends of five windows of its own and is settled. */
async function makeCounters(bundle: string, counters: number): Promise<void> {
  const { policy, settings } = await loadBundle(bundle);
  if (policy === undefined || settings === undefined) throw new Error('the bundle is bad');
  const { countersMax, settleWithinMs, queueMax, commitMs } = settings;
  const store = new MemoryLimitStore(systemClock, { countersMax, settleWithinMs, isDurable: true });
  const ledger = await openSqliteLedger({
    file: settings.ledger.path,
    queueMax,
    commitMs,
    changedCounters: () => store.changes(),
  });
  const bound = policy.account('acme')!.limits.find(({ limit }) => limit.name === 'monthly-spend')!;
  for (let call = 0; call * SPENDS_EACH < counters; call++) {
    spend(store, { bound, call, ledgerId: ledger.id });
    if (call % TURN_ASKS > 0) continue;
    await ledger.flush();
    await turn();
  }
  await ledger.flush();
  process.send?.({ counters: store.counts().counters });
  await once(process, 'message');
  await ledger.close();
  process.disconnect();
}

function spend(
  store: MemoryLimitStore,
  { bound, call, ledgerId }: { bound: BoundLimit; call: number; ledgerId: string },
): void {
  const nowMs = systemClock.nowMs();
  const id = mintDecisionId(ledgerId, nowMs);
  const spends = Array.from({ length: SPENDS_EACH }, (_, i): Spend => {
    const partition = `k${String(call * SPENDS_EACH + i).padStart(11, '0')}`;
    const input = { partition, amount: 1000, nowMs, classes: [], yieldsAt: undefined, observe: false };
    return spendOf(bound, input, openValidity());
  });
  const answer = store.reserve({
    id,
    mintedAt: nowMs,
    expiresAt: nowMs + 60_000,
    customer: 'acme',
    from: 0,
    until: Number.MAX_SAFE_INTEGER,
    candidates: [spends],
  });
  if (answer.outcome !== 'admitted') throw new Error(`the store answered \`${answer.outcome}\``);
  const settlements = spends.map((ref) => ({ ref, actual: 900 }));
  store.settle(id, { mintedAt: nowMs, rank: RANK.accessLog, customer: 'acme' }, settlements);
}

if (import.meta.main) {
  process.once('disconnect', () => process.exit());
  await makeCounters(process.argv[2]!, Number(process.argv[3]));
}
