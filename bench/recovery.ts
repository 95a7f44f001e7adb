/** How long a start takes after a busy half hour, and what it holds in memory then. */
import { readFile } from 'node:fs/promises';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { mintDecisionId } from '../src/core/ids.ts';
import type { BenchBundle } from './bundle.ts';
import { startProgram } from './child.ts';
import { entryOf } from './decide.ts';
import { askedOf, decodeOurs, requestOf } from './grpc-handlers.ts';
import { type BenchOptions, type Figure, figureOf } from './report.ts';
import { openRig } from './rig.ts';

const SERVE = new URL('../src/cli/main.ts', import.meta.url).pathname;
/** `settle_within` of the bundle. */
const LAST_MS = 25 * 60_000;
/** At 500 calls a second that take ten seconds each. */
const OPEN = 5_000;
/** A sweep or two. */
const REST_MS = 2_500;

/** Calls that ended in the last 25 minutes, beside those under way: 1,000,000 are 667 a second. */
export async function benchRecovery({ quick }: BenchOptions): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const ended of quick ? [20_000] : [0, 100_000, 1_000_000]) {
    figures.push(...(await starts(ended, { rounds: quick ? 1 : 5 })));
  }
  return figures;
}

async function starts(ended: number, { rounds }: { rounds: number }): Promise<readonly Figure[]> {
  const rig = await openRig({ nested: 5, ledger: 'sqlite' });
  try {
    const decision = await rig.decide(decodeOurs(requestOf(askedOf(rig))));
    if (decision.outcome === 'deny') throw new Error(`the call is refused: ${decision.message}`);
    rig.take(entryOf(decision.hold));
    await rig.stop();
    fill(rig.bundle, { decisionId: decision.hold.decisionId, decidedAtMs: decision.hold.decidedAtMs, ended });
    const tookMs: number[] = [];
    const residentMb: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const startMs = performance.now();
      const program = await startProgram([SERVE, 'serve', '--config', rig.bundle.path], /"code":"serving"/);
      tookMs.push(performance.now() - startMs);
      await sleep(REST_MS);
      residentMb.push(await residentOf(program.pid));
      await program.stop();
    }
    const after = `after ${ended} calls and ${OPEN} under way`;
    const bar = ended >= 1_000_000 ? { bar: { most: 3_000 } } : {};
    const memory = process.platform === 'linux' ? [{ name: `memory of \`serve\` ${after}`, unit: 'MB' as const }] : [];
    return [
      figureOf(tookMs, { name: `\`serve\` from start to serving, ${after}`, unit: 'ms', ...bar }),
      ...memory.map((about) => figureOf(residentMb, about)),
    ];
  } finally {
    await rig.close();
  }
}

/** Writes a call that is in the book as many times, spread over the last 25 minutes: the way through `serve` would take an hour. */
function fill(
  { ledger }: BenchBundle,
  { decisionId, decidedAtMs, ended }: { decisionId: string; decidedAtMs: number; ended: number },
): void {
  const db = new DatabaseSync(ledger);
  try {
    db.exec('PRAGMA synchronous = OFF; BEGIN');
    const copies = TABLES.map(({ table, named }) => copyOf(db, { table, named, decisionId }));
    const open = db.prepare('INSERT INTO open (decision_id, expires_at_ms) VALUES (?, ?)');
    const nowMs = Date.now();
    const ledgerId = decisionId.slice(0, decisionId.indexOf('-'));
    for (let at = 0; at < ended + OPEN; at++) {
      const isOpen = at >= ended;
      const ms = isOpen ? nowMs : nowMs - LAST_MS + Math.floor((at * LAST_MS) / ended);
      const id = mintDecisionId(ledgerId, ms);
      for (const copy of isOpen ? copies.slice(0, 1) : copies) {
        copy((value) => (value === decidedAtMs ? ms : textOf(value, { decisionId, id, decidedAtMs, ms })));
      }
      if (isOpen) open.run(id, nowMs + LAST_MS);
    }
    db.exec('COMMIT');
  } finally {
    db.close();
  }
}

/** What is of one decision, by the column that names it; holds first. */
const TABLES = [
  { table: 'holds', named: 'decision_id' },
  { table: 'ends', named: 'decision_id' },
  { table: 'counters', named: 'counter' },
] as const;

/** Appends the decision's rows again, each value as `change` makes it. */
function copyOf(
  db: DatabaseSync,
  { table, named, decisionId }: { table: string; named: string; decisionId: string },
): (change: (value: SQLInputValue) => SQLInputValue) => void {
  const found = db.prepare(`SELECT * FROM ${table} WHERE ${named} LIKE '%' || ?`).all(decisionId);
  const columns = Object.keys(found[0] ?? {}).filter((name) => name !== 'seq');
  if (columns.length === 0) throw new Error(`the call left nothing in \`${table}\``);
  const places = columns.map(() => '?').join(', ');
  const insert = db.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places})`);
  return (change) => {
    for (const row of found) insert.run(...columns.map((name) => change(row[name] as SQLInputValue)));
  };
}

function textOf(
  value: SQLInputValue,
  { decisionId, id, decidedAtMs, ms }: { decisionId: string; id: string; decidedAtMs: number; ms: number },
): SQLInputValue {
  return typeof value === 'string' ? value.replace(decisionId, id).replace(String(decidedAtMs), String(ms)) : value;
}

async function residentOf(pid: number): Promise<number> {
  if (process.platform !== 'linux') return 0;
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kib) * 1024) / 1e6;
}
