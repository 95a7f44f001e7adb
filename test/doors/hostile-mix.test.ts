/** Requests of strangers, guessers and abusers by the thousand: memory stays bounded, a good caller beside them is served. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { checkRequest } from '../envoy/checks.ts';
import { call, clientOf } from '../envoy/client.ts';
import { decode } from '../envoy/protos.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { spawnNode } from '../support/process.ts';
import { tempDir } from '../support/temp.ts';
import { writeBundle } from '../support/tollgate.ts';

const CHECK = '/envoy.service.auth.v3.Authorization/Check';
/** Hostile requests; `npm run test:soak` sends a million. */
const REQUESTS = Number(process.env['DOORS_REQUESTS'] ?? 12_000);
const AT_ONCE = 32;
const BASELINE_CALLS = 300;
/** Heap of the serving process: what grows without a bound does not live through a soak in it. */
const HEAP_MAX_MIB = 192;
/** Hostile requests a second beside the good caller whose times are told, and for how long. */
const PACED_PER_SECOND = 400;
const PACED_MS = 2000;

function ask(
  key: string,
  { model = 'gpt-5-mini', headers = [] }: { model?: string; headers?: [string, string][] } = {},
): Buffer {
  const body = Buffer.from(JSON.stringify({ model, max_tokens: 5, messages: [{ role: 'user', content: 'hello' }] }));
  const own: [string, string][] = [
    ['authorization', `Bearer ${key}`],
    ['content-type', 'application/json'],
  ];
  return checkRequest({ headerMap: [...own, ...headers], body });
}

const random = (bytes: number): string => randomBytes(bytes).toString('base64url');

test('P13 a hostile mix: bad keys, rotating ids, unknown models', async (t) => {
  const dir = await tempDir(t);
  const bundle = join(dir, 'bundle');
  const { key } = await writeBundle(bundle, {
    files: {
      'plans.yaml': plansWith({ limits: ['{name: run-spend, max: 5 USD, each: run}'] }),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith({ limits: ['{name: new-runs, max: 60 runs per hour, each: credential}'] }),
    },
    callers: { good: { account: 'acme/good' }, abuser: { account: 'acme/abuser', class: 'agentic', kind: 'agent' } },
  });
  const serving = spawnNode(t, [
    `--max-old-space-size=${HEAP_MAX_MIB}`,
    'src/cli/main.ts',
    'serve',
    '--config',
    bundle,
  ]);
  await serving.line(/"code":"serving"/);
  const client = clientOf({ kind: 'unix', path: join(dir, 'run', 'check') }, t);
  const good = ask(key.good);

  const kinds: readonly (() => Buffer)[] = [
    () => ask(mintApiKey('prod').key),
    () => ask(random(30)),
    () => ask(`${random(20)}.${random(60)}.${random(40)}`),
    () => ask(key.abuser, { model: `guess-${random(8)}`, headers: [['tollgate-run', 'r']] }),
    () => ask(key.abuser, { headers: [['tollgate-run', random(16)]] }),
    () => ask(key.abuser, { headers: [['tollgate-class', random(6)]] }),
  ];

  async function once(request: Buffer): Promise<{ code: number; ms: number }> {
    const started = performance.now();
    const answer = await call(client, CHECK, request, { deadlineMs: 10_000 });
    assert.ok(Buffer.isBuffer(answer), String(answer));
    const { status } = decode('envoy.service.auth.v3.CheckResponse', answer) as { status?: { code?: number } };
    return { code: status?.code ?? 0, ms: performance.now() - started };
  }

  const memory = async (): Promise<number> => {
    const status = await readFile(`/proc/${serving.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  };

  async function beside(whileRunning: () => boolean): Promise<number[]> {
    const times: number[] = [];
    while (whileRunning()) {
      const { code, ms } = await once(good);
      assert.equal(code, 0, 'the good caller was refused');
      times.push(ms);
      await sleep(5);
    }
    return times;
  }

  let sent = 0;
  const admitted = new Map<number, number>();
  async function attack(until: number): Promise<void> {
    while (sent < until) {
      const kind = sent++ % kinds.length;
      const { code } = await once(kinds[kind]!());
      if (code === 0) admitted.set(kind, (admitted.get(kind) ?? 0) + 1);
    }
  }

  const calm: number[] = [];
  for (let n = 0; n < BASELINE_CALLS; n++) calm.push((await once(good)).ms);
  let attacking = true;
  const paced = async (): Promise<void> => {
    const until = performance.now() + PACED_MS;
    while (performance.now() < until) {
      await Promise.all(Array.from({ length: PACED_PER_SECOND / 50 }, () => attack(sent + 1)));
      await sleep(20);
    }
    attacking = false;
  };
  const [times] = await Promise.all([beside(() => attacking), paced()]);
  const before = await memory();
  await Promise.all(Array.from({ length: AT_ONCE }, () => attack(REQUESTS)));
  const after = await memory();
  assert.equal((await once(good)).code, 0);

  const p99 = (all: number[]): string => all.toSorted((a, b) => a - b)[Math.floor(all.length * 0.99)]!.toFixed(1);
  t.diagnostic(`${sent} hostile requests, ${AT_ONCE} at once; memory ${before.toFixed(0)} → ${after.toFixed(0)} MiB`);
  t.diagnostic(
    `a good caller: p99 ${p99(calm)} ms alone, ${p99(times)} ms beside ${PACED_PER_SECOND} of them a second`,
  );
  assert.deepEqual([...admitted.keys()], [4], 'only calls of a known key with a run were let in');
  assert.ok(admitted.get(4)! <= 60, `${admitted.get(4)} runs begun, 60 an hour may`);
});
