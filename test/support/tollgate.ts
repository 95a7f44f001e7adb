import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { digestText } from '../../src/identity/digest.ts';
import { newPepperText, peppersOf } from '../../src/identity/peppers.ts';
import type { Gateway, GatewayOptions } from '../../tools/envoy/gateway.ts';
import { gatewayFor } from './envoy.ts';
import { type Child, type CliAnswer, type Ended, ROOT, runCli, spawnNode } from './process.ts';
import type { Scope } from './scope.ts';
import { tempDir } from './temp.ts';

/** A caller that gets a key. */
export interface TestCaller {
  readonly account: string;
  readonly class?: string;
  readonly kind?: 'human' | 'service' | 'agent';
}

export interface StackOptions<C extends string> {
  /** Files that take the place of those of envoy/bundle, by name (`plans.yaml`, `accounts/acme.yaml`); undefined: none there. */
  readonly files?: Readonly<Record<string, string | undefined>>;
  readonly callers: Readonly<Record<C, TestCaller>>;
  /** Lines of tollgate.yaml beside listeners, ledger and pepper. */
  readonly settings?: string;
  /** Files by which an observed bundle differs, as `files`; undefined: none is observed. */
  readonly observe?: Readonly<Record<string, string>>;
  /** Options of node before the program, e.g. `--import`. */
  readonly node?: readonly string[];
  /** `accessLog`: what stands between Envoy and Tollgate's own socket, see `TestStack.accessLog`. */
  readonly gateway?: Partial<Omit<GatewayOptions, 'dir' | 'check'>>;
}

/** A whole Tollgate: process, real Envoy, stub provider, ledger, keys. */
export interface TestStack<C extends string> {
  readonly gateway: Gateway;
  readonly url: string;
  readonly stub: Gateway['stub'];
  readonly bundle: string;
  /** Directory of the observed bundle, if there is one. */
  readonly observed: string;
  readonly ledger: string;
  /** The socket of Tollgate's access log. */
  readonly accessLog: string;
  /** The secret key of a caller. */
  readonly key: Readonly<Record<C, string>>;
  readonly keyId: Readonly<Record<C, string>>;
  /** The process that serves now. */
  tollgate(): Child;
  /** Starts another one after the last has ended. */
  restart(): Promise<void>;
  /** Starts another one first, and then ends the last; answers how that ended. */
  replace(): Promise<Ended>;
  /** Runs `tollgate ARGS` to its end. */
  cli(args: readonly string[]): Promise<CliAnswer>;
}

/** Starts all of it for the time of the scope. Sockets are Unix sockets, so that a restart finds the same ones. */
export async function stackFor<C extends string>(scope: Scope, options: StackOptions<C>): Promise<TestStack<C>> {
  const dir = await tempDir(scope);
  const bundle = join(dir, 'bundle');
  const made = await writeBundle(bundle, options);
  const observed = join(dir, 'observed');
  if (options.observe !== undefined) await writeObserved(bundle, { observed, files: options.observe });
  const more = options.observe === undefined ? [] : ['--observe', observed];
  const start = () => startTollgate(scope, bundle, options.node, more);
  let child = await start();
  const sockets = { check: { path: join(dir, 'run', 'check') }, accessLog: { path: join(dir, 'run', 'log') } };
  const gateway = await gatewayFor(scope, { retries: 0, ...sockets, ...options.gateway });
  return {
    ...made,
    gateway,
    url: gateway.url,
    stub: gateway.stub,
    bundle,
    observed,
    ledger: join(dir, 'ledger.db'),
    accessLog: sockets.accessLog.path,
    tollgate: () => child,
    restart: async () => {
      await child.ended;
      child = await start();
    },
    replace: async () => {
      const [last, next] = [child, spawnServe(scope, bundle, options.node ?? [], [...more, '--take-over'])];
      await next.line(/"code":"waiting_for_ledger"/);
      const ended = await last.kill('SIGTERM');
      await next.line(/"code":"serving"/);
      child = next;
      return ended;
    },
    cli: (args) => runCli(scope, args),
  };
}

/** Writes the bundle with keys and pepper; answers the keys. */
export async function writeBundle<C extends string>(
  bundle: string,
  { files = {}, callers, settings = '' }: Pick<StackOptions<C>, 'files' | 'callers' | 'settings'>,
): Promise<{ readonly key: Record<C, string>; readonly keyId: Record<C, string> }> {
  const dir = join(bundle, '..');
  await cp(join(ROOT, 'envoy', 'bundle'), bundle, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    if (text === undefined) await rm(join(bundle, name));
    else await writeFile(join(bundle, name), text);
  }
  const pepperFile = join(dir, 'pepper-v1');
  await writeFile(pepperFile, newPepperText(), { mode: 0o600 });
  const peppers = peppersOf(new Map([['v1', pepperFile]]));
  await writeFile(
    join(bundle, 'tollgate.yaml'),
    `listen: {check: "unix:${dir}/run/check", access_log: "unix:${dir}/run/log", admin: "unix:${dir}/run/admin"}\nledger: {path: ../ledger.db}\npeppers: {v1: ../pepper-v1}\ndrain: 1ms\n${settings}`,
  );
  const key = {} as Record<C, string>;
  const keyId = {} as Record<C, string>;
  let entries = '';
  for (const [name, caller] of Object.entries(callers) as [C, TestCaller][]) {
    const fresh = mintApiKey('prod');
    key[name] = fresh.key;
    keyId[name] = fresh.id;
    entries += keyEntry(fresh, caller, digestText(fresh.key, peppers));
  }
  await mkdir(join(bundle, 'keys'), { recursive: true });
  await writeFile(join(bundle, 'keys', 'test.yaml'), entries);
  return { key, keyId };
}

function keyEntry({ id }: { id: string }, caller: TestCaller, digest: string): string {
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  const [created, expires] = [day(Date.now() - 86_400_000), day(Date.now() + 30 * 86_400_000)];
  return `${id}: {account: ${caller.account}, digest: "${digest}", kind: ${caller.kind ?? 'service'}, class: ${caller.class ?? 'interactive'}, environment: prod, owner: test@acme.example, created: ${created}, expires: ${expires}}\n`;
}

async function writeObserved(
  bundle: string,
  { observed, files }: { readonly observed: string; readonly files: Readonly<Record<string, string>> },
): Promise<void> {
  await cp(bundle, observed, { recursive: true });
  await rm(join(observed, 'tollgate.yaml'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(observed, name), text);
}

async function startTollgate(
  scope: Scope,
  bundle: string,
  node: readonly string[] = [],
  more: readonly string[] = [],
): Promise<Child> {
  const child = spawnServe(scope, bundle, node, more);
  await child.line(/"code":"serving"/);
  return child;
}

function spawnServe(scope: Scope, bundle: string, node: readonly string[], more: readonly string[] = []): Child {
  return spawnNode(scope, [...node, 'src/cli/main.ts', 'serve', '--config', bundle, ...more]);
}
