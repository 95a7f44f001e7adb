/** The commands, on the ledger of a small traffic whose bill was worked out by hand. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDecisionId } from '../../src/core/ids.ts';
import type { StubUsage } from '../../tools/stub/behaviour.ts';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { send } from '../support/http.ts';
import { type Child, spawnNode } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';
import { stackFor, type TestStack, writeBundle } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

/**
 * The traffic, in 10^-9 USD. A cached token of gpt-5-mini is half a unit, so that lines of it are rounded: 3 of them, 1.5,
 * to 2 and 5 of them, 2.5, to 2 (half to even).
 */
type Caller = 'search' | 'nightly' | 'ops';
interface KnownCall {
  readonly caller: Caller;
  readonly model: string;
  readonly usage: StubUsage;
  readonly charge: bigint;
  readonly cost: bigint;
}
const CALLS: readonly KnownCall[] = [
  // 1000 · 1250 + 200 · 125 + 100 · 10000; cost 1000 · 1000 + 200 · 100 + 100 · 8000
  {
    caller: 'search',
    model: 'gpt-5',
    usage: { input: 1000, cacheRead: 200, output: 100 },
    charge: 2_275_000n,
    cost: 1_820_000n,
  },
  // 400 · 250 + 2 + 50 · 2000; cost 400 · 200 + 3 · 20 + 50 · 1600
  {
    caller: 'search',
    model: 'gpt-5-mini',
    usage: { input: 400, cacheRead: 3, output: 50 },
    charge: 200_002n,
    cost: 160_060n,
  },
  // 4000 · 250 + 2 + 10 · 2000; cost 4000 · 200 + 5 · 20 + 10 · 1600
  {
    caller: 'nightly',
    model: 'gpt-5-mini',
    usage: { input: 4000, cacheRead: 5, output: 10 },
    charge: 1_020_002n,
    cost: 816_100n,
  },
  // 10 · 3000 + 300 · 300 + 40 · 3750 + 8 · 6000 + 25 · 15000; cost 10 · 2400 + 300 · 240 + 40 · 3000 + 8 · 4800 + 25 · 12000
  {
    caller: 'ops',
    model: 'claude-sonnet',
    usage: { input: 10, cacheRead: 300, cacheWrite5m: 40, cacheWrite1h: 8, output: 25 },
    charge: 693_000n,
    cost: 554_400n,
  },
  // 7 · 1250 + 60 · 10000, reasoning inside output; cost 7 · 1000 + 60 · 8000
  { caller: 'ops', model: 'gpt-5', usage: { input: 7, output: 60, reasoning: 20 }, charge: 608_750n, cost: 487_000n },
];
/** Beside them: one call of `search` that the provider fails, and one unmetered call of `ops`. */
const TOTAL = { requests: 7, charge: '0.004796754', cost: '0.003837560', margin: '0.000959194' };

/** Requests, charge and cost of each row of each view. `@search` is the credential of a caller, `@today` the day in UTC. */
const VIEWS: Readonly<
  Record<string, readonly (readonly [key: string, requests: number, charge: bigint, cost: bigint])[]>
> = {
  account: [
    ['acme/ops', 3, 1_301_750n, 1_041_400n],
    ['acme/search', 4, 3_495_004n, 2_796_160n],
  ],
  model: [
    ['', 1, 0n, 0n],
    ['claude-sonnet', 1, 693_000n, 554_400n],
    ['gpt-5', 2, 2_883_750n, 2_307_000n],
    ['gpt-5-mini', 3, 1_220_004n, 976_160n],
  ],
  day: [['@today', 7, 4_796_754n, 3_837_560n]],
  credential: [
    ['@nightly', 1, 1_020_002n, 816_100n],
    ['@ops', 3, 1_301_750n, 1_041_400n],
    ['@search', 3, 2_475_002n, 1_980_060n],
  ],
  class: [
    ['batch', 1, 1_020_002n, 816_100n],
    ['interactive', 6, 3_776_752n, 3_021_460n],
  ],
  meter: [
    ['', 2, 0n, 0n],
    ['input', 5, 2_388_750n, 1_911_000n],
    ['cache_read', 4, 115_004n, 92_160n],
    ['cache_write_5m', 1, 150_000n, 120_000n],
    ['cache_write_1h', 1, 48_000n, 38_400n],
    ['output', 5, 2_095_000n, 1_676_000n],
    ['reasoning', 1, 0n, 0n],
  ],
};
const QUANTITIES = { input: 5417, cache_read: 508, cache_write_5m: 40, cache_write_1h: 8, output: 245, reasoning: 20 };

const FILES = {
  'plans.yaml': plansWith().replace('cache_read: 0.025, output: 2}', 'cache_read: 0.0005, output: 2}'),
  'accounts/acme.yaml': ONE_CUSTOMER,
  'accounts/globex.yaml': undefined,
  'traffic.yaml': trafficWith(),
};
const CALLERS = {
  search: { account: 'acme/search' },
  nightly: { account: 'acme/search', class: 'batch' },
  ops: { account: 'acme/ops' },
} as const;

const DAY_MS = 86_400_000;

const need = await needEnvoy();

describe('commands on a known ledger', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, { files: FILES, callers: CALLERS });
  const today = await makeTraffic(stack);
  const report = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await stack.cli(['report', '--ledger', stack.ledger, ...args]);
    assert.deepEqual([code, stderr], [0, '']);
    return stdout;
  };

  for (const [view, rows] of Object.entries(VIEWS)) {
    test(`report by ${view}: rows and totals to the unit, alike in JSON, CSV and table`, async () => {
      const expected = rows
        .map(([key, requests, charge, cost]) => ({
          [view]: key === '@today' ? today : key.startsWith('@') ? stack.keyId[key.slice(1) as Caller] : key,
          requests,
          charge: money(charge),
          cost: money(cost),
          margin: money(charge - cost),
          currency: 'USD',
        }))
        .toSorted((a, b) =>
          view === 'credential' && String(a[view]) > String(b[view]) ? 1 : view === 'credential' ? -1 : 0,
        );
      const [json, csv, table] = await Promise.all([
        report('--by', view, '--json'),
        report('--by', view, '--format', 'csv'),
        report('--by', view),
      ]);

      const parsed = JSON.parse(json) as Json;
      assert.deepEqual(
        parsed.rows.map(({ quantities: _, ...row }) => row),
        expected,
      );
      assert.deepEqual(parsed.totals, [{ ...TOTAL, currency: 'USD', quantities: QUANTITIES }]);
      assert.deepEqual(sumQuantities(parsed), QUANTITIES);
      assert.equal(parsed.open, 0);

      const records = readCsv(csv);
      assert.deepEqual(
        records.map((record) => Object.fromEntries(Object.keys(expected[0]!).map((name) => [name, record[name]]))),
        expected.map((row) => ({ ...row, requests: String(row.requests) })),
      );
      for (const name of ['charge', 'cost', 'margin'] as const) {
        assert.equal(money(records.reduce((sum, record) => sum + units(record[name]!), 0n)), TOTAL[name]);
      }

      const total = table.split('\n').find((line) => line.startsWith('total'))!;
      assert.match(total, new RegExp(`^total +7 .*${TOTAL.charge} +${TOTAL.cost} +${TOTAL.margin} +USD$`));
    });
  }

  test('report by account, model and meter: each cell of the bill', async () => {
    const parsed = JSON.parse(await report('--json')) as Json;
    const cells = parsed.rows.map((row) => `${row['account']} ${row['model']} ${row['meter']} ${row.charge}`);
    for (const cell of [
      'acme/search gpt-5-mini input 0.001100000',
      'acme/search gpt-5-mini cache_read 0.000000004',
      'acme/search gpt-5-mini output 0.000120000',
      'acme/ops claude-sonnet cache_write_5m 0.000150000',
      'acme/ops gpt-5 reasoning 0.000000000',
    ]) {
      assert.ok(cells.includes(cell), `${cell} is not among\n${cells.join('\n')}`);
    }
  });

  test('report of one account, of one day, of no day', async () => {
    const chargeOf = async (...args: string[]): Promise<string[]> =>
      (JSON.parse(await report('--json', '--by', 'account', ...args)) as Json).totals.map(({ charge }) => charge);
    const charges = await Promise.all([
      chargeOf('--account', 'acme/ops'),
      chargeOf('--account', 'acme'),
      chargeOf('--account', 'acme/op'),
      chargeOf('--from', today, '--to', today),
      chargeOf('--to', '2026-01-01'),
    ]);
    assert.deepEqual(charges.flat(), ['0.001301750', TOTAL.charge, '0.000000000', TOTAL.charge, '0.000000000']);
  });

  test('report --refusals: identical refusals are one row with their count', async () => {
    const expected = [
      { account: 'acme/ops', model: 'gpt-none', reason: 'model_unknown', limit: '', count: 1 },
      { account: 'acme/search', model: 'claude-sonnet', reason: 'class_not_entitled', limit: '', count: 3 },
    ];
    assert.deepEqual((JSON.parse(await report('--json', '--refusals')) as Json).refusals, expected);
    assert.deepEqual(
      readCsv(await report('--format', 'csv', '--refusals')),
      expected.map(({ count, ...row }) => ({ ...row, refused: String(count) })),
    );
    assert.match(await report('--refusals'), /^total +4$/m);
  });

  test('census: it closes, in words and in JSON', async () => {
    const words = await stack.cli(['census', '--config', stack.bundle]);
    assert.equal(words.code, 0);
    assert.match(words.stdout, /^admitted +7$/m);
    assert.match(words.stdout, /^ {2}settled +6$/m);
    assert.match(words.stdout, /^ {2}failed +1$/m);
    assert.match(words.stdout, /\nthe census closes\n$/);
    const json = await stack.cli(['census', '--ledger', stack.ledger, '--json']);
    const { holds, closes } = JSON.parse(json.stdout) as { holds: number; closes: boolean };
    assert.deepEqual([json.code, holds, closes], [0, 7, true]);
  });

  test('explain, asked wrongly: what it takes', async () => {
    const dry = ['explain', '--config', stack.bundle, '--key', stack.keyId.search, '--route', 'chat'];
    for (const [args, code, stderr] of [
      [['explain', 'x', '--ledger', stack.ledger], 1, /^tollgate: decision `x` is not in this ledger/],
      [dry, 2, /^tollgate: route `chat` needs `--model` or `--body`\n$/],
      [
        [...dry, '--model', 'gpt-5', '--max-tokens', 'few'],
        2,
        /^tollgate: `--max-tokens` takes a whole number; got `few`\n$/,
      ],
      [[...dry, '--body', '/no/such/file'], 1, /^tollgate: body `\/no\/such\/file` cannot be read\n$/],
    ] as const) {
      const ended = await stack.cli(args);
      assert.deepEqual([ended.code, ended.stdout], [code, '']);
      assert.match(ended.stderr, stderr);
    }
  });

  test('keys: a new one works after a restart, a revoked one is refused after the next', async () => {
    const ask = async (key: string): Promise<number> => {
      const headers = { authorization: `Bearer ${key}` };
      const body = { model: 'gpt-5-mini', messages: [], max_tokens: 5 };
      return (await send({ url: stack.url, path: '/v1/chat/completions', headers, body })).status;
    };
    const restart = async (): Promise<void> => {
      assert.deepEqual(await stack.tollgate().kill('SIGTERM'), { code: 0, signal: null });
      await stack.restart();
    };
    const config = ['--config', stack.bundle];
    const who = ['--account', 'acme', '--class', 'interactive', '--kind', 'human', '--owner', 'new@acme.example'];
    const made = await stack.cli(['keys', 'create', ...config, ...who]);
    assert.equal(made.code, 0, made.stderr);
    const key = made.stdout.trim();
    assert.match(made.stdout, /^tg_prod_[a-z0-9]+_[A-Za-z0-9]+\n$/);
    assert.ok(!made.stderr.includes(key), 'the key is on stdout alone');
    const id = key.split('_')[2]!;
    assert.equal(await ask(key), 401, 'the running process has not read it yet');
    await restart();
    assert.equal(await ask(key), 200);

    const listed = await stack.cli(['keys', 'list', ...config, '--json']);
    const rows = JSON.parse(listed.stdout) as Record<string, string>[];
    const { account, owner, state } = rows.find((row) => row['id'] === id)!;
    assert.deepEqual([account, owner, state], ['acme', 'new@acme.example', 'active']);
    assert.equal(rows.length, 4);
    assert.ok(!listed.stdout.includes('hmac'), 'no digest is shown');

    const revoked = await stack.cli(['keys', 'revoke', id, ...config]);
    assert.deepEqual([revoked.code, revoked.stdout], [0, '']);
    assert.equal(await ask(key), 200, 'until the bundle is read again');
    await restart();
    assert.equal(await ask(key), 401);
    assert.equal(await ask(stack.key.search), 200, 'no other key is touched');
    assert.match((await stack.cli(['keys', 'list', ...config])).stdout, new RegExp(`^${id} .* revoked$`, 'm'));
  });
});

describe('serve, where it cannot', need, () => {
  if (need.skip !== false) return;
  const NO_SOCKETS = `listen: {check: "127.0.0.1:0", access_log: "127.0.0.1:0", admin: "127.0.0.1:0"}\nledger: {path: ../ledger.db}\n`;
  const PEPPERS = 'peppers: {v1: ../pepper-v1}\n';

  async function bundleFor(t: Scoped): Promise<string> {
    const bundle = join(await tempDir(t), 'bundle');
    await writeBundle(bundle, { files: FILES, callers: CALLERS });
    await writeFile(join(bundle, 'tollgate.yaml'), NO_SOCKETS + PEPPERS);
    return bundle;
  }
  const serve = (t: Scoped, bundle: string): Child => spawnNode(t, ['src/cli/main.ts', 'serve', '--config', bundle]);
  async function assertFails(t: Scoped, bundle: string, stderr: RegExp): Promise<void> {
    const child = serve(t, bundle);
    assert.deepEqual(await child.ended, { code: 1, signal: null });
    // The sample's rules name a customer that is not declared here, of which the log warns.
    const said = child
      .stderr()
      .split(/^/m)
      .filter((line) => !line.includes('"code":"bundle_warning"'));
    assert.match(said.join(''), stderr);
    assert.doesNotMatch(child.output(), /"code":"serving"|\n {4}at /);
    assert.equal(child.stdout(), '');
  }

  test('a bad tollgate.yaml: each problem with its place, and what shows them again', async (t) => {
    const bundle = await bundleFor(t);
    await writeFile(join(bundle, 'tollgate.yaml'), `${NO_SOCKETS}${PEPPERS}deadlin: 1s\n`);
    const problem = /^tollgate\.yaml:4:1: error key-unknown: .*did you mean `deadline`\? \[[^\]]+\]\n/;
    await assertFails(t, bundle, problem);
    await assertFails(t, bundle, /\ntollgate: bundle `[^`]+` has problems; `tollgate check [^`]+` shows them\n$/);
  });

  test('a port in use: which one, and what to do', async (t) => {
    const bundle = await bundleFor(t);
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    t.after(() => void other.close());
    const { port } = other.address() as AddressInfo;
    for (const listener of ['check', 'access_log']) {
      const listen = NO_SOCKETS.replace(`${listener}: "127.0.0.1:0"`, `${listener}: "127.0.0.1:${port}"`);
      await writeFile(join(bundle, 'tollgate.yaml'), listen + PEPPERS);
      await assertFails(
        t,
        bundle,
        new RegExp(
          `^tollgate: \`127\\.0\\.0\\.1:${port}\` is in use: stop the other process, or give this one another listener in tollgate\\.yaml\n$`,
        ),
      );
    }
  });

  test('a locked ledger: who has it, and what to do; the holder goes on', async (t) => {
    const bundle = await bundleFor(t);
    const first = serve(t, bundle);
    await first.line(/"code":"serving"/);
    await assertFails(
      t,
      bundle,
      /^tollgate: ledger `[^`]+ledger\.db` is in use by another `tollgate serve`; stop that one, or give this one a ledger file of its own \(one process serves one gateway\)\n$/,
    );
    assert.deepEqual(await first.kill('SIGTERM'), { code: 0, signal: null });
    const next = serve(t, bundle);
    await next.line(/"code":"serving"/);
    await next.kill('SIGTERM');
  });

  test('keys without any pepper: it serves nobody who holds one, and says so', async (t) => {
    const bundle = await bundleFor(t);
    await writeFile(join(bundle, 'tollgate.yaml'), NO_SOCKETS);
    const child = serve(t, bundle);
    await child.line(/"code":"serving"/);
    assert.match(
      child.output(),
      /"code":"pepper_missing","msg":"keys under pepper `v1` are refused, .*`tollgate keys pepper FILE` makes one/,
    );
    await child.kill('SIGTERM');
  });

  test('a missing pepper: which one, and what makes it', async (t) => {
    const bundle = await bundleFor(t);
    await rm(join(bundle, '..', 'pepper-v1'));
    const text =
      /^tollgate\.yaml:3:15: error secret-file: `peppers\.v1`: .* found no such file; `tollgate keys pepper FILE` makes one /;
    await assertFails(t, bundle, text);
  });
});

type Scoped = Parameters<typeof tempDir>[0];

interface Json {
  readonly rows: readonly (Record<string, unknown> & {
    readonly charge: string;
    readonly quantities: Record<string, number>;
  })[];
  readonly totals: readonly { readonly charge: string }[];
  readonly open: number;
  readonly refusals?: unknown;
}

/** Makes the known traffic, and waits until all of it is booked; the day, in UTC, on which it was decided. */
async function makeTraffic(stack: TestStack<Caller>): Promise<string> {
  // All of it on one day.
  const leftMs = DAY_MS - (Date.now() % DAY_MS);
  if (leftMs < 15_000) await sleep(leftMs);
  const book = bookOf(stack.ledger);
  const ask = (
    caller: Caller,
    model: string,
    path = model === 'claude-sonnet' ? '/v1/messages' : '/v1/chat/completions',
  ) =>
    send({
      url: stack.url,
      path,
      headers: { authorization: `Bearer ${stack.key[caller]}` },
      body: { model, messages: [], max_tokens: 100 },
    });
  let last = '';
  for (const { caller, model, usage, charge, cost } of CALLS) {
    stack.stub.setBehaviour({ usage });
    const answer = await ask(caller, model);
    assert.equal(answer.status, 200, answer.text);
    last = String(answer.headers['x-tollgate-decision']);
    const ended = await book.ended(last);
    assert.deepEqual([ended.charge, ended.cost], [charge, cost]);
  }
  stack.stub.setBehaviour({ usage: {}, failures: 1, failStatus: 500 });
  assert.equal((await ask('search', 'gpt-5-mini')).status, 500);
  const headers = { authorization: `Bearer ${stack.key.ops}` };
  assert.equal((await send({ url: stack.url, path: '/v1/models', headers })).status, 200);
  // The plan sells this model, but not to batch work.
  for (let time = 0; time < 3; time++) assert.equal((await ask('nightly', 'claude-sonnet')).status, 403);
  assert.equal((await ask('ops', 'gpt-none')).status, 404);
  await until('all of it in the book', () => {
    const { holds, open } = book.census();
    const query = { by: ['account'] as const, fromMs: undefined, toMs: undefined, zone: 'UTC', account: undefined };
    const refused = book.read((reader) => reader.refusals(query)).reduce((sum, { count }) => sum + Number(count), 0);
    return holds === CALLS.length + 2 && open === 0 && refused === 4;
  });
  return new Date(parseDecisionId(last)?.mintedAtMs ?? 0).toISOString().slice(0, 10);
}

function money(amount: bigint): string {
  return `${amount / 1_000_000_000n}.${String(amount % 1_000_000_000n).padStart(9, '0')}`;
}

function units(text: string): bigint {
  assert.match(text, /^\d+\.\d{9}$/);
  return BigInt(text.replace('.', ''));
}

function sumQuantities({ rows }: Json): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { quantities } of rows) {
    for (const [meter, quantity] of Object.entries(quantities)) sums[meter] = (sums[meter] ?? 0) + quantity;
  }
  return sums;
}

/** Reads RFC 4180: a header, CRLF, quotes doubled. */
function readCsv(text: string): Record<string, string>[] {
  assert.match(text, /\r\n$/);
  const records: string[][] = [[]];
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    records.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain ?? '');
    if (end === '\r\n') records.push([]);
  }
  const [head, ...rows] = records.slice(0, -1);
  return rows.map((cells) => {
    assert.equal(cells.length, head!.length);
    return Object.fromEntries(head!.map((name, at) => [name, cells[at]!]));
  });
}
