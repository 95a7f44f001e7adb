/** kill -9 of Tollgate in mid-traffic, five times: what was admitted is booked once, and what was spent stays spent. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { parseDecisionId } from '../../src/core/ids.ts';
import { inputTokens, NO_QUANTITIES, totalTokens } from '../../src/core/units.ts';
import type { HeldSpend } from '../../src/ledger/hold.ts';
import type { Gateway } from '../../tools/envoy/gateway.ts';
import { headerOf } from '../../tools/stub/records.ts';
import { type Allowed, type Book, bookOf, sumsOf } from '../support/book.ts';
import { plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { type Answer, begin, send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

const KILLS = 5;
const WORKERS = 14;
const SLOW_WORKERS = 6;
/** Calls that must have got through, and been booked, before each kill. */
const CALLS_BETWEEN = 100;
/** A group commit waits 5 ms for its rows, and for the disk. Nothing older than this was still waiting. */
const LAST_COMMITS_MS = 1000;

const LIMITS = ['requests', 'input_tokens', 'output_tokens', 'tokens'].map(
  (unit) => `{name: year-${unit}, max: 100M ${unit} per year}`,
);
const ACCOUNTS = `acme:
  plan: growth
  owner: cto@acme.example
  timezone: Europe/Berlin
  unlisted: allow
acme/few:
  owner: few@acme.example
  limits: [{name: few-requests, max: 3 requests per year}]
acme/poor:
  owner: poor@acme.example
  limits: [{name: poor-charge, max: 0.001 USD per year}]
acme/held:
  owner: held@acme.example
  limits: [{name: held-charge, max: 0.0001 USD per year}]
`;

const FILES = {
  'plans.yaml': plansWith({ limits: [...LIMITS, '{name: year-charge, max: 100k USD per year}'] }),
  'accounts/acme.yaml': ACCOUNTS,
  'accounts/globex.yaml': undefined,
  'traffic.yaml': trafficWith({ limits: ['{name: slots, max: 1000 in flight, each: customer}'], lastsMax: '3s' }),
};

/** When a kill was sent, and when the process was gone. */
interface Kill {
  readonly fromMs: number;
  readonly toMs: number;
}

const need = await needEnvoy();

describe('kill -9 in mid-traffic', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: FILES,
    callers: {
      busy: { account: 'acme/busy' },
      few: { account: 'acme/few' },
      poor: { account: 'acme/poor' },
      held: { account: 'acme/held' },
    },
    settings: 'expiry_grace: 1s\n',
    gateway: { behaviour: { delayMs: 8, usage: { input: 9, output: 30 } } },
  });
  const book = bookOf(stack.ledger);
  const ask = (caller: keyof typeof stack.key, body: object, headers: Record<string, string> = {}) =>
    send({
      url: stack.url,
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${stack.key[caller]}`, ...headers },
      body: { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hello' }], max_tokens: 50, ...body },
    });
  const seen = (): Set<string> => new Set(stack.stub.records().map(({ decisionId }) => decisionId ?? ''));

  /** JSON, short streams, and a few streams that outlast a restart, until it is stopped; what Envoy answered, by status. */
  function startTraffic() {
    const answers = new Map<number, number>();
    let going = true;
    const worker = async (number: number): Promise<void> => {
      const headers = number < SLOW_WORKERS ? { 'stub-behaviour': '{"delayMs":200}' } : {};
      for (let call = number; going; call++) {
        const { status } = await ask('busy', { stream: number < SLOW_WORKERS || call % 2 === 0 }, headers);
        answers.set(status, (answers.get(status) ?? 0) + 1);
        if (status !== 200) await sleep(20);
      }
    };
    const all = Promise.all(Array.from({ length: WORKERS }, (_, number) => worker(number)));
    return {
      answers,
      stop: () => {
        going = false;
        return all;
      },
    };
  }

  /** Waits until many more calls have reached the provider, half as many are booked, and streams are under way. */
  async function flowing(): Promise<void> {
    const [seenBefore, settledBefore] = [seen().size, book.census().ended.settled];
    await until(
      'traffic that is booked',
      () => {
        const open = stack.stub.records().filter(({ state }) => state === 'open');
        if (open.length <= stack.stub.held() || seen().size < seenBefore + CALLS_BETWEEN) return false;
        return book.census().ended.settled >= settledBefore + CALLS_BETWEEN / 2;
      },
      { everyMs: 40 },
    );
  }

  /** The budgets that were spent before the first kill. */
  const assertSpent = async (): Promise<void> => {
    for (const [caller, body, limit] of [
      ['few', {}, 'few-requests'],
      ['poor', { max_tokens: 400 }, 'poor-charge'],
    ] as const) {
      const { status, headers } = await ask(caller, body);
      assert.deepEqual([status, headers['x-tollgate-limit'], headers['x-should-retry']], [429, limit, 'false']);
    }
  };

  /** A call that the provider answers only after its reservation has expired. */
  let held: { readonly answer: Promise<Answer>; readonly id: string } | undefined;

  async function beginHeld(): Promise<void> {
    const behaviour = '{"hold":true}';
    const answer = ask('held', { max_tokens: 40 }, { 'stub-behaviour': behaviour });
    const id = await until('the held call in the book', () => {
      const record = stack.stub.records().find((each) => headerOf(each, 'stub-behaviour').includes(behaviour));
      const id = record?.decisionId;
      return id !== undefined && book.allowed(id) !== undefined && id;
    });
    held = { answer, id };
  }

  /** What a call has reserved is held, as by nobody else, until it expires; from then on it is spent. */
  async function assertHeld(): Promise<void> {
    const { status, headers } = await ask('held', { max_tokens: 40 });
    assert.deepEqual([status, headers['x-tollgate-limit']], [429, 'held-charge']);
    const isExpired = Date.now() >= book.allowed(held!.id)!.hold.expiresAtMs;
    if (!isExpired) assert.match(String(headers['retry-after']), /^\d$/, 'a hold may still come back');
  }

  test('every call that the provider saw is booked exactly once, but for those of the last commit; quotas are not given back', async (t) => {
    // Spend two budgets to the end, and wait until that is in the book.
    stack.stub.setBehaviour({ usage: { input: 9, output: 400 } });
    for (const caller of ['few', 'few', 'few', 'poor'] as const) {
      const { status, headers } = await ask(caller, { max_tokens: 400 });
      assert.equal(status, 200);
      const { end } = await book.ended(String(headers['x-tollgate-decision']));
      assert.equal(end.kind, 'settled');
    }
    await assertSpent();
    stack.stub.setBehaviour({ usage: { input: 9, output: 30 } });

    const traffic = startTraffic();
    const kills: Kill[] = [];
    try {
      for (let round = 0; round < KILLS; round++) {
        await flowing();
        if (round === KILLS - 1) await beginHeld();
        await nextArrival(stack.stub);
        const fromMs = Date.now();
        const { signal } = await stack.tollgate().kill('SIGKILL');
        kills.push({ fromMs, toMs: Date.now() });
        assert.equal(signal, 'SIGKILL');
        await stack.restart();
        await assertSpent();
      }
      await assertHeld();
      await flowing();
    } finally {
      await traffic.stop();
    }
    await until('an end of every call, by expiry at the latest', () => book.census().open === 0, { withinMs: 20_000 });
    await assertSpent();

    const booked = book.everything();
    const byId = new Map(booked.map((decision) => [decision.hold.decisionId, decision]));
    for (const decision of booked) assertEndedOnce(decision);
    const lost = [...seen()].filter((id) => !byId.has(id));
    for (const id of lost) assertOfLastCommit(id, { kills, booked });
    assertCountersAre(book);

    const outlived = booked.filter(({ hold, ends }) =>
      kills.some(
        ({ toMs }) => mintedAt(hold.decisionId) <= toMs && ends.at(-1)!.kind === 'settled' && ends.at(-1)!.atMs > toMs,
      ),
    );
    const kinds = Object.entries(book.census().ended).filter(([, count]) => count > 0);
    for (const line of [
      `${seen().size} calls reached the provider, ${booked.length} are booked: ${kinds.map(([kind, count]) => `${count} ${kind}`).join(', ')}`,
      `${lost.length} calls of the last commits before ${KILLS} kills are in no book`,
      `${outlived.length} calls were begun before a kill and settled after it, ${outlived.filter(({ writtenBy }) => writtenBy === 'end').length} of them by the copy in their access-log entry`,
      `answers: ${JSON.stringify(Object.fromEntries(traffic.answers))}`,
    ]) {
      t.diagnostic(line);
    }
    assert.deepEqual(
      [...traffic.answers.keys()].filter((status) => status !== 200 && status !== 503),
      [],
    );
  });

  test('an entry that comes after the expiry corrects the estimate, in ledger and counter', async () => {
    const { id, answer } = held!;
    const expired = await book.ended(id);
    assert.deepEqual([expired.end.kind, expired.end.rank], ['unreconciled', 0]);
    assert.equal(expired.charge, BigInt(expired.hold.estimate.charge));
    assert.equal(expired.counterOf('held-charge').used, expired.hold.estimate.charge);
    const { status, headers } = await ask('held', { max_tokens: 40 });
    assert.deepEqual([status, headers['x-should-retry']], [429, 'false'], 'the estimate is spent, not given back');

    stack.stub.release();
    assert.equal((await answer).status, 200);
    const decision = await until('its entry', () => {
      const found = book.allowed(id);
      return found?.ends.length === 2 && found;
    });
    assert.deepEqual(
      decision.ends.map(({ kind, rank }) => [kind, rank]),
      [
        ['unreconciled', 0],
        ['settled', 2],
      ],
    );
    const { quantities, charge } = sumsOf(decision);
    assert.deepEqual([quantities, charge], [{ input: 9, output: 30 }, 9n * 250n + 30n * 2000n]);
    assert.deepEqual(expired.counterOf('held-charge'), { used: Number(charge), held: 0 });
  });

  test('the census closes, with nothing open', async () => {
    const { code, stdout } = await stack.cli(['census', '--config', stack.bundle, '--json']);
    assert.equal(code, 0);
    const census = JSON.parse(stdout) as Record<string, unknown>;
    assert.deepEqual(
      ['open', 'conflicts', 'orphans', 'unbalanced', 'strays', 'closes'].map((name) => census[name]),
      [0, 0, 0, 0, 0, true],
    );
  });

  /** One end; where a restart took so long that the entry came after the expiry, that corrects it. */
  function assertEndedOnce({ hold, ends, conflicts }: Allowed): void {
    const kinds = ends.map(({ kind, rank }) => `${rank} ${kind}`).join(', ');
    assert.match(kinds, /^(0 unreconciled|(0 unreconciled, )?2 [a-z]+)$/, `ends of ${hold.decisionId}`);
    assert.equal(conflicts, 0);
  }

  /** Rows are committed in their order: what is lost is younger than the last hold that its process had committed. */
  function assertOfLastCommit(
    id: string,
    { kills, booked }: { kills: readonly Kill[]; booked: readonly Allowed[] },
  ): void {
    const mintedAtMs = mintedAt(id);
    const at = kills.findIndex(({ toMs }) => mintedAtMs <= toMs);
    assert.notEqual(at, -1, `${id} is lost without a kill`);
    const { fromMs } = kills[at]!;
    assert.ok(fromMs - mintedAtMs <= LAST_COMMITS_MS, `${id} is lost, ${fromMs - mintedAtMs} ms before the kill`);
    const sinceMs = kills[at - 1]?.toMs ?? 0;
    const committed = booked
      .filter(({ writtenBy }) => writtenBy === 'hold')
      .map(({ hold }) => mintedAt(hold.decisionId))
      .filter((ms) => ms > sinceMs && ms <= kills[at]!.toMs);
    assert.ok(mintedAtMs >= Math.max(...committed), `${id} is lost, and a younger one is not`);
  }
});

describe('a call whose hold went with the last commit', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: FILES,
    callers: { one: { account: 'acme' } },
    // So that it is lost.
    settings: 'commit: 100ms\n',
    // Its one call is a cold process's first: a Check that is not answered in time reaches no provider.
    gateway: { checkTimeoutMs: 2000, behaviour: { usage: { input: 9, output: 30 } } },
  });
  const book = bookOf(stack.ledger);

  /** A stream under way, as the provider saw it, when Tollgate was killed and started again. */
  async function streamOverKill() {
    stack.stub.setBehaviour({ holdAfter: 1 });
    const begun = begin({
      url: stack.url,
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${stack.key.one}` },
      body: { model: 'gpt-5-mini', messages: [], max_tokens: 50, stream: true },
    });
    await nextArrival(stack.stub);
    await stack.tollgate().kill('SIGKILL');
    await stack.restart();
    const id = stack.stub.records().at(-1)!.decisionId!;
    const wasLost = book.allowed(id) === undefined;
    stack.stub.release();
    const { response } = await begun;
    assert.equal(response.headers['x-tollgate-decision'], id);
    for await (const _ of response);
    return { id, wasLost };
  }

  test('the copy in its access-log entry is booked in its place, once, and charged to its counters', async () => {
    let tries = 1;
    let stream = await streamOverKill();
    for (; !stream.wasLost && tries < 5; tries++) stream = await streamOverKill();
    assert.ok(stream.wasLost, 'no hold was lost');
    const { end, quantities, charge, cost } = await book.ended(stream.id);
    assert.deepEqual([end.kind, end.source, book.allowed(stream.id)?.writtenBy], ['settled', 'entry', 'end']);
    assert.deepEqual(quantities, { input: 9, output: 30 });
    assert.deepEqual([charge, cost], [9n * 250n + 30n * 2000n, 9n * 200n + 30n * 1600n]);
    await until('all have ended', () => book.census().open === 0);
    assertCountersAre(book);
    const { holds, endsWithoutHold, closes } = book.census();
    assert.deepEqual([holds, endsWithoutHold, closes], [tries, 1, true]);
  });
});

/** Every window stands at the sum of what the ledger has booked in it, to the unit; no slot is taken. */
function assertCountersAre(book: Book): void {
  const sums = new Map<string, number>();
  for (const decision of book.everything()) {
    for (const spend of decision.hold.spends) {
      sums.set(spend.counter, (sums.get(spend.counter) ?? 0) + usedOf(decision, spend));
    }
  }
  assert.ok(sums.size >= LIMITS.length + 2, `only ${sums.size} counters`);
  for (const [counter, used] of sums) assert.deepEqual(book.counter(counter), { used, held: 0 }, counter);
}

function usedOf(decision: Allowed, { kind, unit }: HeldSpend): number {
  const { quantities, charge } = sumsOf(decision);
  const used = { ...NO_QUANTITIES, ...quantities };
  if (kind === 'slots') return 0;
  switch (unit) {
    case 'requests':
      return decision.ends.at(-1)?.kind === 'released' ? 0 : 1;
    case 'tokens':
      return totalTokens(used);
    case 'input_tokens':
      return inputTokens(used);
    case 'output_tokens':
      return used.output;
    case 'charge':
      return Number(charge);
    default:
      throw new Error(`no limit here counts ${unit}`);
  }
}

/** Waits for the next call that reaches the provider: its decision is so young that its hold is not committed yet. */
async function nextArrival(stub: Gateway['stub']): Promise<void> {
  const before = stub.records().length;
  const endsAt = performance.now() + 5000;
  while (stub.records().length === before) {
    assert.ok(performance.now() < endsAt, 'no call within 5 s');
    await setImmediate();
  }
}

function mintedAt(id: string): number {
  const parsed = parseDecisionId(id);
  assert.ok(parsed, `${id} is no decision id`);
  return parsed.mintedAtMs;
}
