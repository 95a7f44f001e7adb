import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import { findEnvoy } from '../envoy/find.ts';
import { startGateway } from '../envoy/gateway.ts';
import { CALLERS, type Caller, type DemoCall } from './calls.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const CLI = join(ROOT, 'src', 'cli', 'main.ts');
const READY_MS = 15_000;
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
    'listen: {check: "127.0.0.1:0", access_log: "127.0.0.1:0"}\nledger: {path: ../ledger.db}\npeppers: {v1: ../pepper-v1}\n',
  );
  await tollgate(['keys', 'pepper', join(dir, 'pepper-v1')]);
  const keys = await makeKeys(bundle);
  const log = join(dir, 'tollgate.log');
  const { child, check, accessLog } = await serve(bundle, log);
  try {
    const gateway = await startGateway({
      bin,
      dir,
      listenPort: port,
      check,
      accessLog,
      retries: 0,
    });
    process.stdout.write(`Envoy on ${gateway.url}, Tollgate behind it, a stub provider behind both\n`);
    return {
      url: gateway.url,
      keyOf: (who) => (who === 'stranger' ? STRANGER : keys[who]),
      settled: () => settled(join(dir, 'ledger.db')),
      report: async () => {
        process.stdout.write('\nchargeback by account, model and token class\n');
        process.stdout.write(await tollgate(['report', '--config', bundle]));
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
        await gateway.stop();
        await stopChild(child);
      },
    };
  } catch (error) {
    await stopChild(child);
    throw error;
  }
}

/** Well formed and with a good checksum, but nobody's. */
const STRANGER = mintApiKey('prod').key;

async function makeKeys(bundle: string): Promise<Record<Caller, string>> {
  const made: [string, string][] = [];
  for (const [name, caller] of Object.entries(CALLERS)) {
    const words = ['keys', 'create', '--config', bundle, '--account', caller.account, '--class', caller.class];
    made.push([
      name,
      (await tollgate([...words, '--kind', caller.kind, '--owner', caller.owner])).trim().split('\n')[0]!,
    ]);
  }
  return Object.fromEntries(made) as Record<Caller, string>;
}

/** Runs one command of the CLI to its end; answers what it printed. */
async function tollgate(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`\`tollgate ${args[0]}\` ended with ${code}: ${err || out}`);
  return out;
}

interface Serving {
  readonly child: ChildProcess;
  readonly check: { readonly port: number };
  readonly accessLog: { readonly port: number };
}

/** Starts Tollgate on free ports, its log in a file; resolves when it serves. */
async function serve(bundle: string, log: string): Promise<Serving> {
  const child = spawn(process.execPath, [CLI, 'serve', '--config', bundle], { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  child.stderr.pipe(createWriteStream(log));
  const until = performance.now() + READY_MS;
  for (;;) {
    const line = text.split('\n').find((each) => each.includes('"code":"serving"'));
    if (line !== undefined) {
      const { check, access_log } = JSON.parse(line) as { check: string; access_log: string };
      return { child, check: portOf(check), accessLog: portOf(access_log) };
    }
    if (child.exitCode !== null || performance.now() > until) throw new Error(`tollgate did not start: ${text}`);
    await sleep(20);
  }
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

function portOf(endpoint: string): { port: number } {
  return { port: Number(endpoint.slice(endpoint.lastIndexOf(':') + 1)) };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await once(child, 'close');
  clearTimeout(killer);
}
