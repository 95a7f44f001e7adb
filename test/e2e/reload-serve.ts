/** A real `tollgate serve` that is asked over gRPC while its bundle changes. */
import { cp, mkdir, readdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@grpc/grpc-js';
import { checkRequest } from '../envoy/checks.ts';
import { call, clientOf } from '../envoy/client.ts';
import { decode } from '../envoy/protos.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { type Child, spawnNode } from '../support/process.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';
import { type StackOptions, writeBundle } from '../support/tollgate.ts';

/** Of one answer, as Envoy gets it: all that tells which bundle it is of. */
export interface Facts {
  readonly outcome: string;
  readonly reason: string;
  readonly status: number;
  readonly policyVersion: string;
  readonly priceVersion: string;
  readonly plan: string;
  readonly tags: string;
  readonly estimate: string;
  readonly spends: string;
}

export interface Served {
  readonly dir: string;
  readonly child: Child;
  readonly keyId: string;
  ask(): Promise<Facts>;
  /** How many lines of the log have this code. */
  count(code: string): number;
  /** Lines of the log with this code, parsed. */
  lines(code: string): readonly Readonly<Record<string, unknown>>[];
}

/** Files of a bundle that differs from every other in all that an answer shows: limits, prices, tags. */
export function bundleNamed(name: string, inputPrice: number): Record<string, string | undefined> {
  const plans = plansWith({ limits: [`{name: of-${name}, max: 1000M requests per year}`] });
  return {
    'plans.yaml': plans.replace('input: 0.25', `input: ${inputPrice}`).replace('0.025', String(inputPrice / 10)),
    'accounts/acme.yaml': `${ONE_CUSTOMER}  tags: {bundle: ${name}}\n`,
    'accounts/globex.yaml': undefined,
    'traffic.yaml': trafficWith({ limits: [`{name: slots-${name}, max: 1M in flight, each: customer}`] }),
  };
}

export interface ServeOptions {
  readonly files: StackOptions<'one'>['files'];
  readonly settings?: string;
  /** Called with the directory before it is served. */
  readonly prepare?: (dir: string) => Promise<void>;
}

export async function serveBundle(scope: Scope, { files, settings, prepare }: ServeOptions): Promise<Served> {
  const root = await tempDir(scope);
  const dir = join(root, 'bundle');
  const made = await writeBundle(dir, {
    files: files ?? {},
    callers: { one: { account: 'acme' } },
    ...(settings !== undefined && { settings }),
  });
  await prepare?.(dir);
  const child = spawnNode(scope, ['src/cli/main.ts', 'serve', '--config', dir]);
  await child.line(/"code":"serving"/);
  const client = clientOf({ kind: 'unix', path: join(root, 'run', 'check') }, scope);
  const parsed = (): Record<string, unknown>[] =>
    child
      .stderr()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return {
    dir,
    child,
    keyId: made.keyId.one,
    ask: () => askUntilTaken(client, made.key.one),
    count: (code) => child.stderr().split(`"code":"${code}"`).length - 1,
    lines: (code) => parsed().filter((line) => line['code'] === code),
  };
}

const BODY = JSON.stringify({ model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hello' }], max_tokens: 50 });

/** A machine that is busy with other tests may have calls put off: those say nothing of a bundle. */
async function askUntilTaken(client: Client, key: string): Promise<Facts> {
  for (;;) {
    const facts = await ask(client, key);
    if (facts.reason !== 'overloaded') return facts;
    await sleep(100);
  }
}

async function ask(client: Client, key: string): Promise<Facts> {
  const request = checkRequest({
    headerMap: [
      ['authorization', `Bearer ${key}`],
      ['content-type', 'application/json'],
    ],
    body: Buffer.from(BODY),
  });
  const answer = await call(client, '/envoy.service.auth.v3.Authorization/Check', request, { deadlineMs: 5_000 });
  if (answer instanceof Error) throw answer;
  return factsOf(decode('envoy.service.auth.v3.CheckResponse', answer));
}

interface Response {
  readonly denied_response?: { readonly status?: { readonly code?: number } };
  readonly error_response?: { readonly status?: { readonly code?: number } };
  readonly dynamic_metadata?: {
    readonly fields?: Record<string, { structValue?: { fields?: Record<string, { stringValue?: string }> } }>;
  };
}

function factsOf(decoded: Record<string, unknown>): Facts {
  const { denied_response: denied, error_response: failed, dynamic_metadata: metadata } = decoded as Response;
  const ours = new Map(Object.entries(metadata?.fields ?? {})).get('tollgate');
  const fields = new Map(Object.entries(ours?.structValue?.fields ?? {}));
  const text = (name: string): string => fields.get(name)?.stringValue ?? '';
  return {
    outcome: text('outcome'),
    reason: text('reason'),
    status: (denied ?? failed)?.status?.code ?? 200,
    policyVersion: text('policy_version'),
    priceVersion: text('price_version'),
    plan: text('plan'),
    tags: text('tags'),
    estimate: text('estimate'),
    spends: text('spends'),
  };
}

/** A bundle's directory as a mounted ConfigMap is one: links into a hidden directory that is swapped as a whole. */
export class Mount {
  readonly #dir: string;
  #swaps = 0;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Turns a plain directory into a mount of `version`. tollgate.yaml stays where it is. */
  async begin(version: string): Promise<void> {
    const names = (await readdir(this.#dir)).filter((name) => name !== 'tollgate.yaml');
    await mkdir(join(this.#dir, `..${version}`));
    for (const name of names) await rename(join(this.#dir, name), join(this.#dir, `..${version}`, name));
    await symlink(`..${version}`, join(this.#dir, '..data'));
    for (const name of names) await symlink(join('..data', name), join(this.#dir, name));
  }

  /** Another version that has what `from` has but for `files`, written a while ago. */
  async make(version: string, from: string, files: Readonly<Record<string, string | undefined>>): Promise<void> {
    const target = join(this.#dir, `..${version}`);
    await cp(join(this.#dir, `..${from}`), target, { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(target, name)), { recursive: true });
      if (text === undefined) await rm(join(target, name), { force: true });
      else await writeFile(join(target, name), text);
    }
    const before = new Date(Date.now() - 60_000);
    for (const name of await readdir(target, { recursive: true })) await utimes(join(target, name), before, before);
  }

  /** As the kubelet does it. */
  async swap(version: string): Promise<void> {
    this.#swaps += 1;
    const next = join(this.#dir, `..next-${this.#swaps}`);
    await symlink(`..${version}`, next);
    await rename(next, join(this.#dir, '..data'));
  }
}
