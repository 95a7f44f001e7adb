import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import { findEnvoy } from '../envoy/find.ts';
import { startGateway } from '../envoy/gateway.ts';
import { CALLERS, type Caller, type DemoCall } from './calls.ts';
import { runTollgate, serveTollgate, stopTollgate } from './tollgate.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** Envoy flushes its access log each 100 ms, the ledger commits within 5 ms: this is for a machine that is very busy. */
const SETTLE_MS = 10_000;

/** Everything the demo started. */
export interface Stack {
  readonly url: string;
  keyOf(who: DemoCall['who']): string;
  /** Resolves when the last call's usage is booked. */
  settled(): Promise<void>;
  /** Prints the chargeback table. */
  report(): Promise<void>;
  /** Files of this run, relative to where the demo runs. */
  files(): readonly string[];
  /** The command that says why a call was decided as it was; works after the demo's end. */
  explain(decision: string): string;
  curls(): readonly string[];
  stop(): Promise<void>;
}

/** Makes a bundle with keys, starts Tollgate, the stub provider and Envoy. Throws with words that say what to do. */
export async function startStack({ port }: { port: number }): Promise<Stack> {
  // First, so that a missing Envoy or Python is said before anything is started.
  const bin = await findEnvoy();
  const dir = join(ROOT, '.tollgate', 'demo', new Date().toISOString().replace(/[:.]/g, '-'));
  const bundle = join(dir, 'bundle');
  await mkdir(dir, { recursive: true, mode: 0o750 });
  await cp(join(ROOT, 'envoy', 'bundle'), bundle, { recursive: true });
  await writeFile(
    join(bundle, 'tollgate.yaml'),
    'listen: {check: "127.0.0.1:0", access_log: "127.0.0.1:0", admin: "127.0.0.1:0"}\nledger: {path: ../ledger.db}\npeppers: {v1: ../pepper-v1}\n',
  );
  await runTollgate(['keys', 'pepper', join(dir, 'pepper-v1')]);
  const keys = await makeKeys(bundle);
  const log = join(dir, 'tollgate.log');
  const { child, check, accessLog } = await serveTollgate(bundle, log);
  try {
    const gateway = await startGateway({ bin, dir, listenPort: port, check, accessLog, retries: 0 });
    process.stdout.write(`Envoy on ${gateway.url}, Tollgate behind it, a stub provider behind both\n`);
    return {
      url: gateway.url,
      keyOf: (who) => (who === 'stranger' ? STRANGER : keys[who]),
      settled: () => settled(join(dir, 'ledger.db')),
      report: async () => {
        process.stdout.write('\nchargeback by account, model and token class\n');
        process.stdout.write(await runTollgate(['report', '--config', bundle]));
      },
      files: () =>
        [bundle, join(dir, 'ledger.db'), log, join(dir, 'bootstrap.yaml')].map((file) => relative(process.cwd(), file)),
      explain: (decision) => `npm run -s tollgate -- explain ${decision} --config ${relative(process.cwd(), bundle)}`,
      curls: () => [
        `curl -i ${gateway.url}/v1/chat/completions -H "authorization: Bearer ${keys.support}" -H 'content-type: application/json' -d '{"model":"gpt-5-mini","messages":[{"role":"user","content":"hello"}],"max_tokens":50}'`,
        `curl -i ${gateway.url}/v1/chat/completions -H "authorization: Bearer ${keys.globex}" -H 'content-type: application/json' -d '{"model":"gpt-5","messages":[{"role":"user","content":"hello"}],"max_tokens":50}'`,
        `npm run -s tollgate -- report --config ${relative(process.cwd(), bundle)}`,
      ],
      stop: async () => {
        try {
          await gateway.stop();
        } finally {
          await stopTollgate(child);
        }
      },
    };
  } catch (error) {
    await stopTollgate(child);
    throw error;
  }
}

/** Well formed and with a good checksum, but nobody's. */
const STRANGER = mintApiKey('prod').key;

async function makeKeys(bundle: string): Promise<Record<Caller, string>> {
  const made: [string, string][] = [];
  for (const [name, { account, class: lane, kind, owner }] of Object.entries(CALLERS)) {
    const words = ['--account', account, '--class', lane, '--kind', kind, '--owner', owner];
    made.push([name, (await runTollgate(['keys', 'create', '--config', bundle, ...words])).trim()]);
  }
  return Object.fromEntries(made) as Record<Caller, string>;
}

/** Waits until no request is left without an end. */
async function settled(ledger: string): Promise<void> {
  const until = performance.now() + SETTLE_MS;
  for (;;) {
    const reader = openLedgerReader(ledger);
    const open = reader.openHolds(1).length;
    reader.close();
    if (open === 0) return;
    if (performance.now() > until) throw new Error('the access log did not settle all calls in time');
    await sleep(100);
  }
}
