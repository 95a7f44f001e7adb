/** `tollgate explain`: of decisions that were made, and of those that would be made now. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { renderExplanation } from '../../src/cli/render-explanation.ts';
import { explanationOfDry } from '../../src/decision/explanation.ts';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite-ledger.ts';
import { Meter } from '../../src/metering/meter.ts';
import { type BundleParts, bundleFiles, policyOf, writeFiles } from '../decision/bundle.ts';
import { type Asked, Desk, deskOf } from '../decision/desk.ts';
import { runCli } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';

const scope = fileScope();

/** No window ends while a test runs: slots, and totals of a run. */
const PARTS: BundleParts = {
  limits: [
    '{name: slots, max: 3 in flight}',
    '{name: run-out, max: 1000 output_tokens, each: run}',
    '{name: watched, max: 1 in flight, enforce: observe}',
  ],
  ladder: ['{at: 50% of run-out, from: large, use: small}'],
  accounts: ['acme/team: {owner: t@acme.example, limits: [{name: team-slots, max: 1 in flight}]}'],
  blocked: '{credentials: [batchkey]}',
};

describe('what is printed', () => {
  const shown = async (desk: Desk, asked: Asked): Promise<string> => {
    const text = renderExplanation(explanationOfDry(await desk.dry(asked), desk.policy.prices));
    return text.replace(desk.policy.version, 'POLICY').replace(desk.policy.priceVersion, 'PRICES');
  };
  const run = (id: string) => [['tollgate-run', id]] as const;

  test('a step down: both candidates, each limit with used, asked, after and ceiling', async (t) => {
    const desk = await deskOf(t, { ...PARTS, limits: [...PARTS.limits!, '{name: spend, max: 1 USD per day}'] });
    desk.settle(desk.allow({ headers: run('r1') }).hold, { output_tokens: 450, charge: 5_000_000 });
    desk.allow();
    assert.equal(
      await shown(desk, { headers: [...run('r1'), ['tollgate-class', 'batch']], json: { stream: true } }),
      `now, it would be allowed, served by \`small\` instead of \`large\`: limit \`run-out\` takes the ladder's step
reason   downgraded
route    chat (openai-chat)
caller   account acme, api key acmekey (service, exact)
class    interactive + batch, run r1
asked    large, stream
plan     growth, policy POLICY, prices PRICES
estimate 13 input and up to 100 output tokens, at most 0.000506502 USD
observed would have refused: watched

candidate 1: large, left for the next on the ladder
limit    of    unit                  used        spent        asked        after      ceiling    step at  result
-------  ----  -------------  -----------  -----------  -----------  -----------  -----------  ---------  ----------------------------------------
slots    acme  requests                 1            0            1            1            3          -  fits
run-out  acme  output_tokens          450          450          100          450         1000  500 (50%)  takes the step: spent + asked is past it
watched  acme  requests                 1            0            1            1            1          -  would not fit, for 1 second (observed)
spend    acme  charge         0.006013002  0.005000000  0.001013002  0.006013002  1.000000000          -  fits

candidate 2: small, taken
limit    of    unit                  used        spent        asked        after      ceiling  step at  result
-------  ----  -------------  -----------  -----------  -----------  -----------  -----------  -------  --------------------------------------
slots    acme  requests                 1            0            1            2            3        -  fits
run-out  acme  output_tokens          450          450          100          550         1000        -  fits
watched  acme  requests                 1            0            1            2            1        -  would not fit, for 1 second (observed)
spend    acme  charge         0.006013002  0.005000000  0.000506502  0.006519504  1.000000000        -  fits
`,
    );
  });

  const rows: readonly [
    n: number,
    what: string,
    before: (desk: Desk) => void,
    asked: Asked,
    shows: readonly RegExp[],
  ][] = [
    [
      1,
      'a limit of its own',
      (desk) => void desk.allow({ key: 'teamkey' }),
      { key: 'teamkey' },
      [
        /^now, it would be refused: limit `team-slots` \(1 request in flight\) has 0 requests left/,
        /^reason {3}concurrency_limited$/m,
        /^candidate 1: large, refused$/m,
        /^team-slots {2}acme\/team {2}requests {5}1 {6}0 {6}1 {6}1 {8}1 {8}- {2}does not fit, for 1 second$/m,
      ],
    ],
    [
      // The caller is not told which; whoever runs the command is.
      2,
      'a limit above the caller',
      (desk) => void [desk.allow(), desk.allow(), desk.allow()],
      { key: 'teamkey' },
      [
        /^now, it would be refused: a limit above account `acme\/team` is spent/,
        /^slots +acme +requests +3 +0 +1 +3 +3 +- +does not fit/m,
      ],
    ],
    [
      3,
      'more than the whole limit',
      () => {},
      { headers: run('r9'), json: { n: 11 } },
      [/^reason {3}budget_spent$/m, /^run-out .* 0 +0 +1100 +0 +1000 +- +does not fit, never$/m],
    ],
    [
      4,
      'an unknown model',
      () => {},
      { json: { model: 'nosuch' } },
      [/^reason {3}model_unknown$/m, /^asked {4}nosuch$/m],
    ],
    [
      5,
      'a route without a model',
      () => {},
      { method: 'GET', path: '/v1/models' },
      [/^now, it would be allowed\n/, /^limits, taken$/m],
    ],
    [
      6,
      'a body that cannot be read',
      () => {},
      { body: Buffer.from('{') },
      [/^reason {3}body_malformed$/m, /^caller {3}account acme,/m],
    ],
    [7, 'no plan', () => {}, { key: 'barekey' }, [/^reason {3}plan_missing$/m, /^plan {5}none, /m]],
    [
      8,
      'a step that is not taken yet',
      () => {},
      { headers: run('r2') },
      [/^candidate 1: large, taken$/m, /^run-out .* 0 +0 +100 +100 +1000 +500 \(50%\) +fits before the step$/m],
    ],
    [
      // What calls under way hold fills the limit, but takes no step of its own.
      9,
      'a step that is taken because the limit is full',
      (desk) => {
        desk.allow({ headers: run('r3'), json: { max_tokens: 400 } });
        desk.allow({ headers: run('r3'), json: { max_tokens: 450 } });
      },
      { headers: run('r3'), json: { max_tokens: 200 } },
      [/^run-out .* 850 +0 +200 +850 +1000 +500 \(50%\) +takes the step: full$/m],
    ],
    [
      10,
      'a step that the caller refuses',
      (desk) => {
        const headers = run('r4');
        desk.settle(desk.allow({ headers }).hold, { output_tokens: 450 });
      },
      { headers: [...run('r4'), ['tollgate-downgrade', 'refuse']] },
      [/^run-out .* 450 +450 +100 +450 +1000 +500 \(50%\) +does not fit before the step, never$/m],
    ],
    [
      11,
      'no output cap',
      () => {},
      { json: { max_tokens: undefined } },
      [/^candidate 1: large, taken\nthis call gives no output cap, so 1000 output tokens were assumed\n/m],
    ],
  ];
  for (const [n, what, first, asked, shows] of rows) {
    test(`explained ${n}: ${what}`, async (t) => {
      const desk = await deskOf(t, PARTS);
      first(desk);
      const text = await shown(desk, asked);
      for (const pattern of shows) assert.match(text, pattern);
    });
  }

  test('a call on which no limit holds says so', async (t) => {
    assert.match(await shown(await deskOf(t), {}), /^candidate 1: large, taken\nno limit holds for it$/m);
  });
});

describe('the command', { concurrency: 2 }, async () => {
  const dir = join(await tempDir(scope), 'bundle');
  const file = join(dir, '../ledger.db');
  const id = { allowed: '', down: '', denied: '', unread: '' };

  before(async () => {
    await mkdir(dir);
    await writeFiles(dir, { ...bundleFiles(PARTS), 'tollgate.yaml': 'ledger: {path: ../ledger.db}\n' });
    const policy = await policyOf(scope, PARTS);
    let desk: Desk | undefined;
    const ledger = await openSqliteLedger({ file, changedCounters: () => desk?.store.changes() ?? [] });
    await ledger.keepPrices(policy.priceVersion, policy.prices);
    desk = new Desk(policy, {
      ports: ({ store, clock }) => {
        const settings = { settleWithinMs: 1_500_000 };
        const meter = new Meter({ store, ledger, clock, prices: () => policy.prices, policy: () => policy, settings });
        return { ledgerId: ledger.id, admit: (hold) => meter.admit(hold), refuse: (refusal) => ledger.refuse(refusal) };
      },
    });
    desk.nowMs = Date.now();
    id.allowed = desk.allow({ key: 'teamkey' }).hold.decisionId;
    id.denied = desk.deny({ key: 'teamkey' }).decisionId;
    assert.equal(desk.deny({ key: 'teamkey' }).decisionId, id.denied);
    const r1 = { headers: [['tollgate-run', 'r1']] } as const;
    const first = desk.allow({ ...r1, json: { max_tokens: 450 } });
    desk.settle(first.hold, { output_tokens: 450 });
    id.down = desk.allow(r1).hold.decisionId;
    id.unread = desk.deny({ body: Buffer.from('{') }).decisionId;
    await ledger.flush();
    await ledger.close();
  });

  const explain = (...args: readonly string[]) => runCli(scope, ['explain', ...args]);

  const past: readonly [n: number, which: keyof typeof id, shows: readonly RegExp[]][] = [
    [
      1,
      'allowed',
      [
        /^allowed: `large`\nreason {3}as_requested\n/,
        /^decision \S+ at \d{4}-\d\d-\d\dT/m,
        /^team-slots {2}acme\/team .* 0 +0 +1 +1 +1 +- +fits$/m,
      ],
    ],
    [
      2,
      'down',
      [
        /^allowed, served by `small` instead of `large`: limit `run-out`/,
        /^class {4}interactive, run r1$/m,
        /^run-out .* 450 +450 +100 +450 +1000 +500 \(50%\) +takes the step: spent \+ asked is past it$/m,
      ],
    ],
    [
      3,
      'denied',
      [/^refused: limit `team-slots`/, /^times {4}2 in this minute$/m, /^team-slots .* does not fit, for 1 second$/m],
    ],
    [4, 'unread', [/^refused: /, /^reason {3}body_malformed$/m, /^caller {3}account acme,/m]],
  ];
  for (const [n, which, shows] of past) {
    test(`past ${n}: ${which}`, async () => {
      const { code, stdout, stderr } = await explain(id[which], '--config', dir);
      assert.deepEqual([code, stderr], [0, '']);
      for (const pattern of shows) assert.match(stdout, pattern);
    });
  }

  test('a past decision as JSON', async () => {
    const { stdout } = await explain(id.down, '--ledger', file, '--json');
    const { outcome, dry, model, facts, candidates } = JSON.parse(stdout);
    assert.deepEqual([outcome, dry, model, facts.decisionId, candidates.length], ['allow', false, 'small', id.down, 2]);
  });

  const now: readonly [n: number, args: readonly string[], shows: readonly RegExp[]][] = [
    // Two slots are held: by the team, and by the call that was served by `small`.
    [
      1,
      ['--key', 'acmekey', '--route', 'chat', '--model', 'large'],
      [/^now, it would be allowed: `large`/, /^slots +acme +requests +2 +0 +1 +3 +3 +- +fits$/m],
    ],
    [
      2,
      ['--key', 'acmekey', '--route', 'chat', '--model', 'large', '--run', 'r1', '--max-tokens', '100'],
      [/would be allowed, served by `small`/, /^run-out .* 550 +450 +100 +650 +1000 +- +fits$/m],
    ],
    [
      3,
      ['--key', 'batchkey', '--route', 'chat', '--model', 'large'],
      [/^now, it would be refused: the credential is not valid\nreason {3}credential_blocked\n/],
    ],
    [
      4,
      ['--key', 'acmekey', '--route', 'messages', '--model', 'claude', '--max-tokens', '50', '--class', 'batch'],
      [/^reason {3}class_not_entitled$/m, /^class {4}interactive \+ batch$/m],
    ],
  ];
  for (const [n, args, shows] of now) {
    test(`now ${n}: ${args.join(' ')}`, async () => {
      const { code, stdout, stderr } = await explain(...args, '--config', dir);
      assert.deepEqual([code, stderr], [0, '']);
      for (const pattern of shows) assert.match(stdout, pattern);
    });
  }

  test('asking changes nothing in the ledger', async () => {
    const rows = (): unknown => {
      const reader = openLedgerReader(file);
      const found = [reader.counters(), reader.openHolds(100)];
      reader.close();
      return found;
    };
    const earlier = rows();
    const body = join(dir, '../body.json');
    await writeFile(body, '{"model":"large","messages":[],"max_tokens":7}');
    const { stdout } = await explain('--key', 'acmekey', '--route', 'chat', '--body', body, '--json', '--config', dir);
    assert.equal(JSON.parse(stdout).estimate.outputTokens, 7);
    assert.deepEqual(rows(), earlier);
  });

  const wrong: readonly [n: number, args: readonly string[], code: number, stderr: RegExp][] = [
    [1, ['--key', 'nokey', '--route', 'chat', '--model', 'large', '--config', dir], 1, /there is no key `nokey`/],
    [2, ['--key', 'acmekey', '--route', 'chat', '--config', dir], 2, /needs `--model` or `--body`/],
    [3, ['x', '--key', 'acmekey', '--config', dir], 2, /not both/],
  ];
  for (const [n, args, code, stderr] of wrong) {
    test(`wrong ${n}: ${args[0]} …, exit ${code}`, async () => {
      const answer = await explain(...args);
      assert.equal(answer.code, code);
      assert.match(answer.stderr, stderr);
      assert.equal(answer.stdout, '');
    });
  }
});
