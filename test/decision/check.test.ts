/** The branches of a decision: who is refused before limits are asked, and what each answer of the store comes to. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseDecisionId } from '../../src/core/ids.ts';
import { REASONS, type Reason } from '../../src/core/reasons.ts';
import type { DeciderPorts } from '../../src/decision/check.ts';
import type { Deny } from '../../src/decision/decision.ts';
import { mintApiKey } from '../../src/identity/api-key.ts';
import type { Principal } from '../../src/identity/principal.ts';
import type { LimitStore, ReserveAnswer } from '../../src/limits/store.ts';
import { fileScope } from '../support/scope.ts';
import { policyOf } from './bundle.ts';
import { type Asked, callerOf, Desk, type DeskOptions, deskOf, headersOf, NOW_MS } from './desk.ts';

const scope = fileScope();

/** The desk's own store, but for how it answers a question. */
function answering(
  answer: (desk: Desk, ask: Parameters<LimitStore['reserve']>[0]) => ReturnType<LimitStore['reserve']>,
): DeskOptions {
  return {
    ports: (desk) => ({
      store: {
        reserve: (ask) => answer(desk, ask),
        settle: (...given) => desk.store.settle(...given),
        extend: (id, expiresAt) => desk.store.extend(id, expiresAt),
        expire: (...given) => desk.store.expire(...given),
        adjust: (...given) => desk.store.adjust(...given),
      },
    }),
  };
}

describe('before limits are asked', async () => {
  const policy = await policyOf(scope, {
    runsFor: ['agentic'],
    blocked: '{credentials: [lostkey]}',
    rules: [
      '{name: no-vision, deny: {accounts: ["**"], models: ["*-vision"]}}',
      '{name: all, allow: {accounts: ["**"], models: [large, small, tiny, claude, pic-vision]}}',
      '{name: list, allow: {accounts: ["**"], routes: [models]}}',
    ],
    keys: { lostkey: { account: 'acme' }, ghostkey: { account: 'nobody/here' } },
  });
  const cls = (name: string) => ['tollgate-class', name] as const;
  const list: Asked = { method: 'GET', path: '/v1/models' };
  /** Booked: a row of the ledger stands for it, because the caller is known. */
  const rows: readonly [n: number, asked: Asked, expected: Reason | 'allow', booked: boolean][] = [
    [1, {}, 'allow', false],
    [2, { path: '/nowhere' }, 'route_unknown', false],
    [3, { path: '//v1' }, 'path_not_canonical', false],
    [4, { method: 'CONNECT' }, 'upgrade_refused', false],
    [5, { key: 'ghostkey' }, 'credential_unknown', false],
    [6, { headers: [cls('gold')] }, 'header_invalid', true],
    [7, { key: 'batchkey', headers: [cls('interactive')] }, 'header_invalid', true],
    [8, { headers: [['tollgate-run', 'a b']] }, 'header_invalid', true],
    [9, { headers: [['content-type', 'text/plain']] }, 'content_type_unsupported', true],
    [10, { body: Buffer.from('{') }, 'body_malformed', true],
    [11, { body: Buffer.from('{"model":"large","model":"tiny"}') }, 'body_duplicate_key', true],
    [12, { partialBody: true }, 'body_partial', true],
    [13, { key: 'agentkey' }, 'run_required', true],
    [14, { headers: [cls('agentic')] }, 'run_required', true],
    [15, { key: 'agentkey', headers: [cls('batch')] }, 'run_required', true],
    [16, { key: 'agentkey', headers: [['tollgate-run', 'r']] }, 'allow', false],
    [17, { ...list, key: 'agentkey' }, 'allow', false],
    [18, { key: 'lostkey' }, 'credential_blocked', true],
    [19, { json: { model: 'nosuch' } }, 'model_unknown', true],
    [20, { json: { model: 'secret' } }, 'model_hidden', true],
    [21, { json: { model: 'pic-vision' } }, 'model_denied', true],
    [22, { key: 'barekey' }, 'plan_missing', true],
    [23, list, 'allow', false],
  ];
  for (const [n, asked, expected, booked] of rows) {
    test(`check ${n}: ${expected}`, () => {
      const desk = new Desk(policy);
      const decision = desk.decide(asked);
      assert.equal(decision.outcome === 'allow' ? 'allow' : decision.reason, expected);
      assert.equal(desk.refusals.length, booked ? 1 : 0);
      assert.equal(desk.holds.length, expected === 'allow' ? 1 : 0);
      if (booked) assert.equal(desk.refusals[0]?.decisionId, (decision as Deny).decisionId);
    });
  }

  test('a row of a call that could not be read says what is known', () => {
    const desk = new Desk(policy);
    const deny = desk.deny({ key: 'batchkey', body: Buffer.from('{') });
    assert.deepEqual(
      [deny.principal?.account, deny.customer, deny.route?.name, deny.requestedModel],
      ['acme', 'acme', 'chat', undefined],
    );
    const { account, classes, requestedModel, message } = desk.refusals[0]!;
    assert.deepEqual([account, classes, requestedModel, message], ['acme', ['batch'], undefined, deny.message]);
  });

  test('K8: a key that a caller puts into the place of a model or a run stands in no answer and no row', () => {
    const { key } = mintApiKey('prod');
    const desk = new Desk(policy);
    const model = desk.deny({ json: { model: key } });
    assert.deepEqual([model.reason, model.requestedModel], ['model_unknown', '[redacted]']);
    assert.equal(desk.deny({ headers: [['tollgate-run', key]] }).reason, 'header_invalid');
    assert.equal(desk.refusals.length, 2);
    assert.ok(!JSON.stringify([model.message, desk.refusals]).includes(key.slice(-36)));
  });

  test('a missing run names the class that needs it', () => {
    const deny = new Desk(policy).deny({ key: 'agentkey', headers: [cls('batch')] });
    assert.equal(deny.message, 'class `agentic` needs the header `tollgate-run`');
  });

  test('a blocked credential has the face of an unknown one', () => {
    const desk = new Desk(policy);
    const [blocked, unknown] = [desk.deny({ key: 'lostkey' }), desk.deny({ key: 'ghostkey' })];
    assert.equal(blocked.message, unknown.message);
    assert.equal(REASONS[blocked.reason], REASONS[unknown.reason]);
  });
});

describe('callers that are not let in', async () => {
  const policy = await policyOf(scope);
  const NOT_VALID = 'the credential is not valid';
  const rows: readonly [n: number, reason: Reason, message: string][] = [
    [1, 'credential_missing', 'a credential is required: send `authorization: Bearer KEY` or `x-api-key: KEY`'],
    [2, 'credentials_ambiguous', 'exactly one credential is accepted'],
    [3, 'credential_malformed', NOT_VALID],
    [4, 'credential_unknown', NOT_VALID],
    [5, 'credential_revoked', NOT_VALID],
    [6, 'credential_expired', NOT_VALID],
    [7, 'credential_not_yet_valid', NOT_VALID],
    [8, 'credential_other_environment', NOT_VALID],
    [9, 'credential_unsupported', NOT_VALID],
  ];
  for (const [n, reason, message] of rows) {
    test(`stranger ${n}: ${reason}`, () => {
      const identify = () => ({ reason, detail: 'key `k7f3q2` was revoked by bob' });
      const told: unknown[] = [];
      const turnedAway: DeciderPorts['turnedAway'] = (refusal, decisionId) => told.push({ ...refusal, decisionId });
      const desk = new Desk(policy, { ports: () => ({ identifier: { identify }, turnedAway }) });
      const deny = desk.deny();
      assert.deepEqual(told, [{ ...identify(), decisionId: deny.decisionId }]);
      assert.deepEqual(
        [deny.reason, deny.message, deny.principal, deny.limit],
        [reason, message, undefined, undefined],
      );
      assert.deepEqual([deny.route?.name, deny.policyVersion], ['chat', policy.version]);
      assert.deepEqual(desk.refusals, []);
    });
  }

  test('a credential of an account that is not declared is turned away like a stranger', () => {
    const told: unknown[] = [];
    const who = { ...(callerOf(policy) as Principal), account: 'gone/team' };
    const turnedAway: DeciderPorts['turnedAway'] = ({ reason, detail }) => told.push([reason, detail]);
    const desk = new Desk(policy, { ports: () => ({ identifier: { identify: () => who }, turnedAway }) });
    assert.equal(desk.deny().message, NOT_VALID);
    assert.deepEqual(told, [['credential_unknown', 'account `gone/team` of credential `acmekey` is not declared']]);
  });

  test('who is let in is not told of, whatever is decided', () => {
    const told: unknown[] = [];
    const desk = new Desk(policy, { ports: () => ({ turnedAway: (refusal) => void told.push(refusal) }) });
    desk.allow();
    desk.deny({ json: { model: 'nosuch' } });
    assert.deepEqual(told, []);
  });

  test('is asked for its headers once its route is known, before its body is read', () => {
    let asked = 0;
    const identify = () => {
      asked++;
      return { reason: 'credential_unknown', detail: '' } as const;
    };
    const desk = new Desk(policy, { ports: () => ({ identifier: { identify } }) });
    assert.equal(desk.deny({ path: '/nowhere' }).reason, 'route_unknown');
    assert.equal(asked, 0);
    assert.equal(desk.deny({ body: Buffer.from('{'), partialBody: true }).reason, 'credential_unknown');
  });

  test('without a policy all are refused', () => {
    const desk = new Desk(policy, { ports: () => ({ policy: () => undefined }) });
    const deny = desk.deny();
    assert.deepEqual([deny.reason, deny.policyVersion, deny.route], ['policy_missing', '', undefined]);
  });
});

const EACH_MINUTE = { limits: ['{name: minute, max: 5 requests per minute}'] };

describe('the clock moves while limits are asked', () => {
  const MINUTE_MS = 60_000;

  test('once: asked again, as a decision of the other instant', async (t) => {
    const asked: string[] = [];
    const desk = await deskOf(
      t,
      EACH_MINUTE,
      answering((own, ask) => {
        asked.push(ask.id);
        if (asked.length === 1) own.nowMs += MINUTE_MS;
        return own.store.reserve(ask);
      }),
    );
    const { hold } = desk.allow();
    assert.equal(asked.length, 2);
    assert.equal(hold.decidedAtMs, NOW_MS + MINUTE_MS);
    assert.equal(hold.spends[0]?.end, NOW_MS + 2 * MINUTE_MS);
    assert.equal(hold.expiresAtMs, NOW_MS + MINUTE_MS + 660_000);
    assert.deepEqual(parseDecisionId(hold.decisionId), { ledgerId: 'abcdefgh', mintedAtMs: NOW_MS + MINUTE_MS });
    assert.equal(asked[1], hold.decisionId);
  });

  test('twice: refused, nothing is charged', async (t) => {
    let asked = 0;
    const desk = await deskOf(
      t,
      EACH_MINUTE,
      answering((own, ask) => {
        asked++;
        own.nowMs += MINUTE_MS;
        return own.store.reserve(ask);
      }),
    );
    assert.equal(desk.deny().reason, 'clock_moved');
    assert.equal(asked, 2);
    assert.deepEqual(desk.store.changes(), []);
  });

  test('a price that ends in between is that of the second instant', async (t) => {
    const end = Date.parse('2026-12-01T00:00Z');
    let first = true;
    const desk = await deskOf(
      t,
      {
        limits: ['{name: hour, max: 5 USD per hour}'],
        prices: [
          'large: [{from: 2026-01-01, per: 1M tokens, input: 1, output: 10}, {from: 2026-12-01, per: 1M tokens, input: 1, output: 20}]',
          'claude: [{from: 2026-01-01, per: 1M tokens, input: 1, output: 10}]',
        ],
        entitlements: ['{routes: [chat], models: [large], classes: [interactive]}'],
      },
      answering((own, ask) => {
        if (first) own.nowMs = end;
        first = false;
        return own.store.reserve(ask);
      }),
    );
    desk.nowMs = end - 1;
    const { estimate } = desk.allow().hold;
    assert.equal(estimate.charge, estimate.inputTokens * 1000 + 2_000_000 + 2);
  });
});

describe('reservations that are overdue', () => {
  const ONE = { limits: ['{name: slots, max: 1 in flight}'] };

  test('are ended, and the question is asked once more', async (t) => {
    const ended: string[] = [];
    const desk = await deskOf(t, ONE, {
      ports: (own) => ({
        expire: (customer) => {
          ended.push(customer);
          own.store.expire(customer, 100);
        },
      }),
    });
    desk.allow();
    desk.nowMs += 660_000;
    desk.allow();
    assert.deepEqual(ended, ['acme']);
    // Now nothing is overdue: refused at once.
    assert.equal(desk.deny().reason, 'concurrency_limited');
    assert.deepEqual(ended, ['acme']);
  });

  test('once only, even if they stay', async (t) => {
    let ended = 0;
    const desk = await deskOf(t, ONE, { ports: () => ({ expire: () => void ended++ }) });
    desk.allow();
    desk.nowMs += 660_000;
    assert.equal(desk.deny().reason, 'concurrency_limited');
    assert.equal(ended, 1);
  });

  test('also after the clock has moved', async (t) => {
    const parts = { limits: [...ONE.limits, ...EACH_MINUTE.limits] };
    let asked = 0;
    const desk = await deskOf(
      t,
      parts,
      answering((own, ask) => {
        asked++;
        if (asked === 2) own.nowMs += 60_000;
        return own.store.reserve(ask);
      }),
    );
    desk.allow();
    desk.nowMs += 660_000;
    desk.allow();
    assert.equal(asked, 4);
  });

  for (const [n, expire] of [
    [1, () => Promise.reject(new Error('link lost'))],
    [
      2,
      () => {
        throw new Error('link lost');
      },
    ],
  ] as const) {
    test(`cannot be ended ${n}: 503`, async (t) => {
      const desk = await deskOf(t, ONE, { ports: () => ({ expire }) });
      desk.allow();
      desk.nowMs += 660_000;
      const deny = (await desk.decideLater()) as Deny;
      assert.equal(deny.reason, 'limits_unavailable');
    });
  }
});

describe('answers of the store', () => {
  const answers: readonly [n: number, answer: () => ReturnType<LimitStore['reserve']>, expected: Reason][] = [
    [1, () => ({ outcome: 'exhausted', now: NOW_MS }), 'counters_exhausted'],
    [2, () => ({ outcome: 'known', now: NOW_MS, candidate: 0 }), 'internal_error'],
    [3, () => ({ outcome: 'known', now: NOW_MS, candidate: undefined }), 'internal_error'],
    [4, () => Promise.reject(new Error('link lost')), 'limits_unavailable'],
    [
      5,
      () => {
        throw new Error('link lost');
      },
      'limits_unavailable',
    ],
    [6, () => Promise.resolve({ outcome: 'exhausted', now: NOW_MS }), 'counters_exhausted'],
    [7, () => Promise.resolve({ outcome: 'moved', now: NOW_MS }), 'clock_moved'],
  ];
  for (const [n, answer, expected] of answers) {
    test(`answer ${n}: ${expected}`, async (t) => {
      const desk = await deskOf(t, EACH_MINUTE, answering(answer));
      const deny = (await desk.decideLater()) as Deny;
      assert.deepEqual([deny.outcome, deny.reason], ['deny', expected]);
      assert.deepEqual([desk.holds.length, desk.refusals.length], [0, 1]);
      assert.doesNotMatch(deny.message, /link/);
    });
  }

  test('a store that answers later decides the same', async (t) => {
    const desk = await deskOf(
      t,
      { limits: ['{name: one, max: 1 requests per hour}'] },
      answering(async (own, ask) => own.store.reserve(ask)),
    );
    const first = desk.decideLater();
    assert.ok(first instanceof Promise);
    assert.equal((await first).outcome, 'allow');
    assert.equal(((await desk.decideLater()) as Deny).limit?.name, 'one');
  });

  test('a fault of ours is not taken for one of the store', async (t) => {
    const broken = (): ReserveAnswer => ({ outcome: 'admitted', now: NOW_MS, candidate: 7, states: [], over: [] });
    const desk = await deskOf(t, EACH_MINUTE, answering(broken));
    assert.throws(() => desk.decide(), TypeError);
    assert.deepEqual(desk.holds, []);
  });

  test('no room for another counter: 503, nothing is charged', async (t) => {
    const desk = await deskOf(
      t,
      { limits: ['{name: each, max: 5 requests per hour, each: credential}'] },
      { store: { countersMax: 1 } },
    );
    desk.allow();
    desk.store.changes();
    assert.equal(desk.deny({ key: 'teamkey' }).reason, 'counters_exhausted');
    assert.deepEqual(desk.store.changes(), []);
  });
});

test('headers that carried the credential are named for removal, whoever is let in', async (t) => {
  const desk = await deskOf(t);
  const headers = [
    ['authorization', 'Bearer x'],
    ['x-goog-api-key', 'y'],
  ] as const;
  assert.deepEqual(desk.allow({ headers }).credentialHeaders, ['authorization', 'x-goog-api-key']);
  assert.deepEqual(headersOf(headers).get('authorization'), ['Bearer x']);
});
