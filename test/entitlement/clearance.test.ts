import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { kindOf, type Reason } from '../../src/core/reasons.ts';
import type { Enforce } from '../../src/core/units.ts';
import { openaiChat } from '../../src/dialects/openai-chat.ts';
import { clearanceOf } from '../../src/entitlement/clearance.ts';
import { offer } from '../../src/entitlement/offer.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { policyOf } from '../decision/bundle.ts';
import { fileScope } from '../support/scope.ts';
import { questionOf, type Who } from './questions.ts';

const scope = fileScope();

/** `ok`, or `ok:` and what would have barred it; else the reason. */
function judged(policy: Policy, who: Who, said: string | undefined): string {
  const model = said === undefined ? undefined : policy.models.asked(said);
  const found = clearanceOf(questionOf(policy, who), model, said);
  return 'reason' in found ? found.reason : ['ok', ...found.observed].join(':');
}

const RULES = [
  '{name: no-vision, deny: {accounts: ["**"], models: ["*-vision"]}, reason: image models are not cleared}',
  '{name: no-us, deny: {accounts: [acme/hr/**], model_labels: {region: us}}}',
  '{name: no-latest, deny: {accounts: [acme/pinned], models: ["*-latest"]}}',
  '{name: no-list, deny: {accounts: [acme/mute], routes: [models]}, reason: the list is closed}',
  '{name: most, allow: {accounts: [acme/**], routes: [chat, strict, messages, models], models: [large, small, tiny, claude, pic-vision]}}',
  '{name: list, allow: {accounts: [acme/**], routes: [models]}}',
  '{name: bare, allow: {accounts: [bare], routes: [chat, models]}}',
];
const ENTITLEMENTS = [
  '{routes: [chat], models: [large, small], classes: [interactive]}',
  '{routes: [chat], models: [small], classes: [batch]}',
  '{routes: [messages], models: [claude], classes: [interactive]}',
];

describe('access.yaml and plan, enforced', async () => {
  const policy = await policyOf(scope, {
    rules: RULES,
    entitlements: ENTITLEMENTS,
    blocked: '{accounts: [acme/gone/**], credentials: [lostkey], actors: [mallory], models: ["tiny"]}',
  });
  const rows: readonly [n: number, who: Who, said: string | undefined, expected: Reason | 'ok'][] = [
    [1, {}, 'large', 'ok'],
    [2, {}, 'large-latest', 'ok'],
    [3, { account: 'acme/team/deep' }, 'large', 'ok'],
    // Deny by pattern, by label, by the word that was said; the deny wins over any allow.
    [4, {}, 'pic-vision', 'model_denied'],
    [5, { account: 'acme/hr' }, 'large', 'model_denied'],
    [6, { account: 'acme/hr/x' }, 'small', 'ok'],
    [7, { account: 'acme/pinned' }, 'large-latest', 'model_denied'],
    [8, { account: 'acme/pinned' }, 'large', 'ok'],
    // No allow rule: the model does not exist for this account.
    [9, {}, 'secret', 'model_hidden'],
    [10, { route: 'plain' }, 'large', 'model_hidden'],
    // Plan: route, model, class, in this order.
    [11, { route: 'strict' }, 'large', 'route_not_entitled'],
    [12, { route: 'strict', classes: ['agentic'] }, 'large', 'route_not_entitled'],
    [13, { account: 'bare' }, 'large', 'plan_missing'],
    [14, { account: 'bare' }, 'secret', 'plan_missing'],
    [15, { classes: ['agentic'] }, 'large', 'class_not_entitled'],
    [16, { classes: ['batch'] }, 'large', 'class_not_entitled'],
    [17, { classes: ['batch'] }, 'small', 'ok'],
    // Each class is covered by an entitlement of its own; a claimed one that is not, refuses.
    [18, { classes: ['interactive', 'batch'] }, 'small', 'ok'],
    [19, { classes: ['interactive', 'batch'] }, 'large', 'class_not_entitled'],
    [20, { classes: ['interactive', 'agentic'] }, 'small', 'class_not_entitled'],
    // A provider's dialects, said only of models that may be seen.
    [21, { route: 'messages' }, 'claude', 'ok'],
    [22, {}, 'claude', 'model_unknown'],
    [23, { route: 'messages' }, 'large', 'model_unknown'],
    [24, { route: 'messages' }, 'secret', 'model_hidden'],
    [25, { route: 'messages' }, 'pic-vision', 'model_denied'],
    // Blocked, before all else.
    [26, { account: 'acme/gone' }, 'large', 'account_blocked'],
    [27, { account: 'acme/gone/x' }, 'secret', 'account_blocked'],
    [28, { credential: 'lostkey' }, 'large', 'credential_blocked'],
    [29, { actor: 'mallory' }, 'large', 'access_denied'],
    [30, {}, 'tiny', 'model_denied'],
    // Routes without a model: access.yaml holds, the plan is not asked.
    [31, { route: 'models' }, undefined, 'ok'],
    [32, { route: 'models', account: 'bare' }, undefined, 'ok'],
    [33, { route: 'models', account: 'acme/mute' }, undefined, 'access_denied'],
    [34, { route: 'models', account: 'acme/gone' }, undefined, 'account_blocked'],
    [35, { route: 'models', credential: 'lostkey' }, undefined, 'credential_blocked'],
    [36, { route: 'models', actor: 'mallory' }, undefined, 'access_denied'],
    [37, { route: 'models', classes: ['agentic'] }, undefined, 'ok'],
  ];
  for (const [n, who, said, expected] of rows) {
    test(`clearance ${n}: ${expected}`, () => assert.equal(judged(policy, who, said), expected));
  }

  const texts: readonly [n: number, who: Who, said: string | undefined, text: string][] = [
    [1, {}, 'pic-vision', 'model `pic-vision` is denied to this account: image models are not cleared'],
    [2, { account: 'acme/hr' }, 'large-latest', 'model `large-latest` is denied to this account'],
    [3, {}, 'secret', 'model `secret` does not exist or is not open to this account'],
    [4, {}, 'claude', 'model `claude` is not served on route `chat`'],
    [5, { route: 'strict' }, 'large', 'plan `growth` does not include route `strict`'],
    [6, { account: 'bare' }, 'large', 'account `bare` has no plan'],
    [7, { classes: ['agentic'] }, 'large', 'plan `growth` does not include class `agentic` for model `large`'],
    [
      8,
      { classes: ['interactive', 'batch'] },
      'large',
      'plan `growth` does not include class `batch` for model `large`',
    ],
    [
      9,
      { route: 'models', account: 'acme/mute' },
      undefined,
      'route `models` is denied to this account: the list is closed',
    ],
    [10, { account: 'acme/gone' }, 'large', 'this account is blocked'],
    [11, { credential: 'lostkey' }, 'large', 'the credential is not valid'],
    [12, { actor: 'mallory' }, 'large', 'this actor is blocked'],
    [13, {}, 'tiny', 'model `tiny` is blocked'],
  ];
  for (const [n, who, said, text] of texts) {
    test(`text ${n}: ${text}`, () => {
      const model = said === undefined ? undefined : policy.models.asked(said);
      const found = clearanceOf(questionOf(policy, who), model, said);
      assert.equal('reason' in found ? found.message : 'cleared', text);
    });
  }

  test('a hidden model has the face of one that does not exist, on every route', () => {
    for (const route of ['chat', 'messages']) {
      const faces = ['secret', 'nosuch'].map((said) => {
        const found = offer(questionOf(policy, { route }), said);
        assert.ok('reason' in found);
        assert.equal(kindOf(found.reason), 'model_not_found');
        const { status, body } = openaiChat.error({ ...found, decisionId: 'id' });
        return { message: found.message.replace(said, 'X'), status, body: body.replace(said, 'X') };
      });
      assert.deepEqual(faces[0], faces[1]);
    }
  });
});

test('a route that no allow rule opens', async (t) => {
  const policy = await policyOf(t, { rules: ['{name: chat, allow: {accounts: ["**"], routes: [chat]}}'] });
  const found = clearanceOf(questionOf(policy, { route: 'models' }), undefined, undefined);
  assert.deepEqual(found, { reason: 'access_denied', message: 'route `models` is not open to this account' });
});

test('a plan that sells a model on another route only', async (t) => {
  const policy = await policyOf(t, {
    entitlements: [
      '{routes: [chat], models: [large], classes: [interactive]}',
      '{routes: [strict], models: [small], classes: [interactive]}',
    ],
  });
  assert.equal(judged(policy, {}, 'small'), 'model_not_entitled');
  assert.equal(judged(policy, { route: 'strict' }, 'small'), 'ok');
});

/**
 * What each mode makes of a caller without plan, a model not sold, one denied, one hidden, one under a rule that watches,
 * a list that is denied, and what is blocked.
 */
describe('observe and off', () => {
  const rules = [
    '{name: watch-small, deny: {accounts: ["**"], models: [small]}, enforce: observe}',
    '{name: dead, deny: {accounts: ["**"]}, enforce: off}',
    ...RULES,
  ];
  const blocked = '{accounts: [acme/gone], credentials: [lostkey], models: [tiny]}';
  const cases: readonly [who: Who, said: string | undefined][] = [
    [{ account: 'bare' }, 'large'],
    [{ classes: ['agentic'] }, 'large'],
    [{}, 'pic-vision'],
    [{}, 'secret'],
    [{}, 'small'],
    [{ route: 'models', account: 'acme/mute' }, undefined],
    [{ account: 'acme/gone' }, 'large'],
    [{ credential: 'lostkey' }, 'large'],
    [{}, 'tiny'],
  ];
  const BLOCKED = ['account_blocked', 'credential_blocked', 'model_denied'] as const;
  const rows: readonly [n: number, bundle: Enforce, plan: Enforce, expected: readonly string[]][] = [
    [
      1,
      'on',
      'on',
      [
        'plan_missing',
        'class_not_entitled',
        'model_denied',
        'model_hidden',
        'ok:watch-small',
        'access_denied',
        ...BLOCKED,
      ],
    ],
    [
      2,
      'on',
      'observe',
      [
        'plan_missing',
        'ok:class_not_entitled',
        'model_denied',
        'model_hidden',
        'ok:watch-small',
        'access_denied',
        ...BLOCKED,
      ],
    ],
    [
      3,
      'on',
      'off',
      ['plan_missing', 'ok', 'model_denied', 'model_hidden', 'ok:watch-small', 'access_denied', ...BLOCKED],
    ],
    [
      4,
      'observe',
      'on',
      [
        'ok:plan_missing',
        'ok:class_not_entitled',
        'ok:model_denied:model_not_entitled',
        'ok:model_hidden:model_not_entitled',
        'ok:watch-small',
        'ok:access_denied',
        ...BLOCKED,
      ],
    ],
    [
      5,
      'observe',
      'off',
      ['ok:plan_missing', 'ok', 'ok:model_denied', 'ok:model_hidden', 'ok:watch-small', 'ok:access_denied', ...BLOCKED],
    ],
    [6, 'off', 'on', ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', ...BLOCKED]],
  ];
  for (const [n, enforce, planEnforce, expected] of rows) {
    test(`modes ${n}: bundle ${enforce}, plan ${planEnforce}`, async (t) => {
      const policy = await policyOf(t, { rules, blocked, entitlements: ENTITLEMENTS, enforce, planEnforce });
      assert.deepEqual(
        cases.map(([who, said]) => judged(policy, who, said)),
        expected,
      );
    });
  }

  test('a route that observes opens nothing that security or finance closed', async (t) => {
    for (const enforce of ['observe', 'off']) {
      const policy = await policyOf(t, {
        rules,
        blocked,
        entitlements: ENTITLEMENTS,
        routes: [
          `chat: {dialect: openai-chat, match: {method: POST, path: /v1/chat/completions}, enforce: ${enforce}}`,
          'strict: {dialect: openai-chat, match: {method: POST, path: /v1/strict}}',
          'messages: {dialect: anthropic-messages, match: {method: POST, path: /v1/messages}}',
          `models: {match: {method: GET, path: /v1/models}, metered: false, enforce: ${enforce}}`,
        ],
      });
      assert.deepEqual(
        cases.map(([who, said]) => judged(policy, who, said)),
        rows[0]![3],
      );
    }
  });
});
