import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kindOf, REASONS, type Reason } from '../../src/core/reasons.ts';
import type { Decision, Deny, LimitStatus } from '../../src/decision/decision.ts';
import { encodeCheckResponse } from '../../src/envoy/wire/check-response.ts';
import { denialFields } from '../../src/envoy/wire/metadata.ts';
import { FIELD_NAMES, holdToFields } from '../../src/ledger/fields.ts';
import { allow, CHAT, deny, HOLD } from './checks.ts';
import { decode } from './protos.ts';

interface Option {
  readonly header: { readonly key: string; readonly value?: string };
  readonly append?: { readonly value?: boolean };
  readonly append_action?: number;
}

interface Decoded {
  readonly status?: { readonly code?: number };
  readonly ok_response?: {
    readonly headers?: readonly Option[];
    readonly headers_to_remove?: readonly string[];
    readonly response_headers_to_add?: readonly Option[];
  };
  readonly denied_response?: Denied;
  readonly error_response?: Denied;
  readonly dynamic_metadata?: unknown;
}

interface Denied {
  readonly status: { readonly code: number };
  readonly headers: readonly Option[];
  readonly body: string;
}

function answer(decision: Decision, jitter = 0): Decoded {
  const bytes = encodeCheckResponse(decision, { holdToFields, jitter });
  return decode('envoy.service.auth.v3.CheckResponse', bytes) as unknown as Decoded;
}

/** Headers by name; fails where one could let another copy stand beside it. */
function headers(options: readonly Option[] = []): Record<string, string> {
  const found = new Map<string, string>();
  for (const { header, append, append_action } of options) {
    assert.deepEqual(append?.value ?? false, false, `${header.key}: append`);
    assert.notEqual(append, undefined, `${header.key}: append must be said`);
    assert.equal(append_action, 2, `${header.key}: append_action`);
    assert.equal(found.has(header.key), false, `${header.key} stands twice`);
    found.set(header.key, header.value ?? '');
  }
  return Object.fromEntries(found);
}

/** Strings of our struct in the dynamic metadata. */
function metadata({ dynamic_metadata }: Decoded): Record<string, string> {
  const fields = (value: unknown): Record<string, Record<string, unknown>> =>
    (value as { fields: Record<string, Record<string, unknown>> }).fields;
  const root = fields(dynamic_metadata);
  assert.deepEqual(Object.keys(root), ['tollgate']);
  return Object.fromEntries(
    Object.entries(fields(root['tollgate']!['structValue'])).map(([key, value]) => [
      key,
      value['stringValue'] as string,
    ]),
  );
}

const OURS = [
  'x-tollgate-decision',
  'x-tollgate-model',
  'x-tollgate-requested-model',
  'x-tollgate-edit',
  'x-tollgate-edit-size',
];

test('an allow says so, with all headers overwritten or removed, and the credential gone', () => {
  const decoded = answer(allow());
  assert.deepEqual(decoded.status, { code: 0 });
  assert.equal(decoded.denied_response, undefined);
  assert.equal(decoded.error_response, undefined);
  assert.deepEqual(headers(decoded.ok_response?.headers), {
    'x-tollgate-decision': HOLD.decisionId,
    'x-tollgate-model': 'gpt-5',
    'x-tollgate-requested-model': 'gpt-5',
  });
  assert.deepEqual(decoded.ok_response?.headers_to_remove, [
    'authorization',
    'x-tollgate-edit',
    'x-tollgate-edit-size',
    'x-tollgate-limit',
  ]);
  assert.deepEqual(headers(decoded.ok_response?.response_headers_to_add), {
    'x-tollgate-decision': HOLD.decisionId,
    'x-tollgate-model': 'gpt-5',
  });
});

test('the hold travels in the metadata, as the ledger writes it', () => {
  assert.deepEqual(metadata(answer(allow())), Object.fromEntries(holdToFields(HOLD)));
});

const ALLOWS = [
  allow(),
  allow({ edits: [{ offset: 9, length: 7, text: '"gpt-5-mini"' }] }),
  allow({ hold: { ...HOLD, model: undefined, requestedModel: undefined } }),
  allow({ hold: { ...HOLD, requestedModel: '\r\nä' } }),
];

for (const [n, decision] of ALLOWS.entries()) {
  test(`allow ${n + 1}: each header that is trusted behind us is overwritten or removed`, () => {
    const ok = answer(decision).ok_response;
    const set = headers(ok?.headers);
    for (const name of OURS) {
      const ways = [set[name] !== undefined, ok?.headers_to_remove?.includes(name) === true].filter(Boolean);
      assert.equal(ways.length, 1, name);
    }
  });
}

test('a downgraded answer says so, and by which limit if the caller may know it', () => {
  const hold = { ...HOLD, model: 'gpt-5-mini', downgradedBy: 'monthly-spend' };
  const edits = [
    { offset: 9, length: 7, text: '"gpt-5-mini"' },
    { offset: 40, length: 0, text: ',"stream_options":{"include_usage":true}' },
  ];
  const ok = answer(allow({ hold, edits, bodyBytes: 41, stepLimit: 'monthly-spend' })).ok_response;
  assert.deepEqual(headers(ok?.headers), {
    'x-tollgate-decision': HOLD.decisionId,
    'x-tollgate-model': 'gpt-5-mini',
    'x-tollgate-requested-model': 'gpt-5',
    'x-tollgate-edit': '9,7,"gpt-5-mini";40,0,,"stream_options":{"include_usage":true};',
    'x-tollgate-edit-size': '41',
  });
  assert.deepEqual(headers(ok?.response_headers_to_add), {
    'x-tollgate-decision': HOLD.decisionId,
    'x-tollgate-model': 'gpt-5-mini',
    'x-tollgate-requested-model': 'gpt-5',
    'x-tollgate-limit': 'monthly-spend',
  });
  const { 'x-tollgate-limit': unnamed, ...rest } = headers(
    answer(allow({ hold })).ok_response?.response_headers_to_add,
  );
  assert.equal(unnamed, undefined);
  assert.equal(rest['x-tollgate-requested-model'], 'gpt-5');
});

test('a model that stands in the path is put there over the one that came; else the path is not touched', () => {
  const path = '/openai/deployments/small/chat/completions?api-version=2024-10-21';
  assert.equal(headers(answer(allow({ path })).ok_response?.headers)[':path'], path);
  assert.equal(headers(answer(allow()).ok_response?.headers)[':path'], undefined);
});

test('a route may forward the credential', () => {
  const remove = answer(allow({ route: { ...CHAT, forwardCredential: true } })).ok_response?.headers_to_remove;
  assert.equal(remove?.includes('authorization'), false);
});

const BAD_EDITS: readonly [n: number, edits: readonly { offset: number; length: number; text: string }[]][] = [
  [1, [{ offset: 1, length: 2, text: 'a;b' }]],
  [2, [{ offset: 1, length: 2, text: 'a\nb' }]],
  [3, [{ offset: 1, length: 2, text: 'ä' }]],
  [
    4,
    [
      { offset: 5, length: 3, text: 'a' },
      { offset: 7, length: 1, text: 'b' },
    ],
  ],
];

for (const [n, edits] of BAD_EDITS) {
  test(`edits ${n} that cannot be said are not answered, and spoil no later answer`, () => {
    assert.throws(() => encodeCheckResponse(allow({ edits }), { holdToFields, jitter: 0 }), RangeError);
    assert.equal(answer(allow()).status?.code, 0);
  });
}

test('H12 a client cannot write into our headers', () => {
  const requestedModel = `a\r\nx-evil: 1\u0000\u00e4${'b'.repeat(400)}`;
  const hold = { ...HOLD, requestedModel };
  const value = headers(answer(allow({ hold })).ok_response?.headers)['x-tollgate-requested-model'];
  assert.equal(value, `ax-evil: 1${'b'.repeat(246)}`);
});

const LIMIT: LimitStatus = {
  name: 'gpt5-daily',
  unit: 'tokens',
  max: 2_000_000,
  remaining: 1200,
  resetMs: 1500,
  windowMs: 86_400_000,
};

/** What a refusal of each reason tells Envoy and its caller. */
const DENIALS: readonly [
  n: number,
  parts: Partial<Deny>,
  status: number,
  code: number,
  told: Readonly<Record<string, string>>,
][] = [
  [1, { reason: 'rate_limited', waitMs: 1 }, 429, 8, { 'retry-after': '1', 'retry-after-ms': '1' }],
  [2, { reason: 'rate_limited', waitMs: 1500 }, 429, 8, { 'retry-after': '2', 'retry-after-ms': '1500' }],
  [3, { reason: 'rate_limited', waitMs: 60_000 }, 429, 8, { 'retry-after': '60', 'retry-after-ms': '60000' }],
  [4, { reason: 'concurrency_limited', waitMs: 1000 }, 429, 8, { 'retry-after': '1', 'retry-after-ms': '1000' }],
  [5, { reason: 'budget_spent', waitMs: 86_400_000 }, 429, 8, { 'x-should-retry': 'false' }],
  [6, { reason: 'budget_spent', waitMs: 'never' }, 429, 8, { 'x-should-retry': 'false' }],
  [7, { reason: 'budget_spent', waitMs: 500 }, 429, 8, { 'x-should-retry': 'false' }],
  [
    8,
    { reason: 'credential_missing', waitMs: undefined },
    401,
    16,
    { 'x-should-retry': 'false', 'www-authenticate': 'Bearer realm="tollgate"' },
  ],
  [
    9,
    { reason: 'credential_revoked', waitMs: undefined },
    401,
    16,
    { 'x-should-retry': 'false', 'www-authenticate': 'Bearer realm="tollgate", error="invalid_token"' },
  ],
  [10, { reason: 'model_unknown', waitMs: undefined }, 404, 7, { 'x-should-retry': 'false' }],
  [11, { reason: 'model_not_entitled', waitMs: undefined }, 403, 7, { 'x-should-retry': 'false' }],
  [12, { reason: 'body_malformed', waitMs: undefined }, 400, 7, { 'x-should-retry': 'false' }],
  [13, { reason: 'body_too_large', waitMs: undefined }, 413, 7, { 'x-should-retry': 'false' }],
  [14, { reason: 'content_encoding_unsupported', waitMs: undefined }, 415, 7, { 'x-should-retry': 'false' }],
];

for (const [n, parts, status, code, told] of DENIALS) {
  test(`denial ${n}: ${parts.reason} is ${status}`, () => {
    const decision = deny(parts);
    const decoded = answer(decision);
    const denied = decoded.denied_response;
    assert.equal(decoded.status?.code, code);
    assert.equal(decoded.ok_response, undefined);
    assert.equal(denied?.status.code, status);
    assert.deepEqual(headers(denied?.headers), {
      'content-type': 'application/json',
      'x-tollgate-decision': decision.decisionId,
      ...told,
    });
    assert.ok((JSON.parse(denied?.body ?? '') as { error: unknown }).error);
    assert.deepEqual(metadata(decoded), Object.fromEntries(denialFields(decision)));
  });
}

test('what cannot be decided is an error to Envoy, with status, wait and body of its own', () => {
  const decoded = answer(deny({ reason: 'limits_unavailable', waitMs: undefined }));
  assert.equal(decoded.status?.code, 14);
  assert.equal(decoded.denied_response, undefined);
  assert.equal(decoded.error_response?.status.code, 503);
  assert.equal(headers(decoded.error_response?.headers)['retry-after'], '1');
  assert.ok(JSON.parse(decoded.error_response?.body ?? ''));
  assert.equal(metadata(decoded)['reason'], 'limits_unavailable');
});

test('no reason is ever an allow', () => {
  for (const reason of Object.keys(REASONS) as Reason[]) {
    for (const route of [CHAT, undefined, { ...CHAT, dialect: 'anthropic-messages' as const }]) {
      const decoded = answer(deny({ reason, route }));
      assert.notEqual(decoded.status?.code ?? 0, 0, reason);
      const told = kindOf(reason) === 'unavailable' ? decoded.error_response : decoded.denied_response;
      assert.ok(told !== undefined && told.status.code >= 400, reason);
      assert.equal(decoded.ok_response, undefined, reason);
    }
  }
});

test('the metadata of a denial has the fields of an allow, in their order', () => {
  assert.deepEqual(
    denialFields(deny()).map(([key]) => key),
    [...FIELD_NAMES],
  );
});

test('without a route the answer is problem+json', () => {
  const denied = answer(deny({ reason: 'route_unknown', route: undefined, waitMs: undefined })).denied_response;
  assert.equal(denied?.status.code, 404);
  assert.equal(headers(denied?.headers)['content-type'], 'application/problem+json');
});

test('jitter only adds, and the wait stays within a minute', () => {
  const waits = (waitMs: number, jitter: number): number =>
    Number(headers(answer(deny({ waitMs }), jitter).denied_response?.headers)['retry-after-ms']);
  assert.equal(waits(1000, 0.5), 1125);
  assert.equal(waits(10_000, 0.5), 10_500);
  assert.equal(waits(59_000, 0.999), 60_000);
  assert.equal(waits(0, 0), 0);
});

const LIMITS: readonly [
  n: number,
  limit: Partial<LimitStatus>,
  waitMs: number | 'never',
  told: Record<string, string>,
][] = [
  [
    1,
    {},
    2000,
    {
      'ratelimit-policy': '"gpt5-daily";q=2000000;qu="tollgate-tokens";w=86400',
      ratelimit: '"gpt5-daily";r=1200;t=2',
    },
  ],
  // `t` later than Retry-After is forbidden by the draft.
  [
    2,
    { resetMs: 50_000, unit: 'requests' },
    2000,
    { 'ratelimit-policy': '"gpt5-daily";q=2000000;w=86400', ratelimit: '"gpt5-daily";r=1200' },
  ],
  [
    3,
    { resetMs: 50_000_000, unit: 'output_tokens', windowMs: undefined },
    'never',
    {
      'ratelimit-policy': '"gpt5-daily";q=2000000;qu="tollgate-output-tokens"',
      ratelimit: '"gpt5-daily";r=1200;t=50000',
    },
  ],
  [
    4,
    { remaining: -5, resetMs: undefined, unit: 'requests', windowMs: 1 },
    2000,
    {
      'ratelimit-policy': '"gpt5-daily";q=2000000;w=1',
      ratelimit: '"gpt5-daily";r=0',
    },
  ],
  // What we pay is not shown to who pays us.
  [5, { unit: 'cost' }, 'never', {}],
  [6, { unit: 'charge', max: 2_000_000_000_000_000 }, 'never', {}],
];

for (const [n, limit, waitMs, told] of LIMITS) {
  test(`limit ${n} is told as structured fields`, () => {
    const reason = waitMs === 'never' ? 'budget_spent' : 'rate_limited';
    const denied = answer(deny({ reason, waitMs, limit: { ...LIMIT, ...limit } })).denied_response;
    const { ratelimit, 'ratelimit-policy': policy, 'x-tollgate-limit': name } = headers(denied?.headers);
    assert.equal(name, 'gpt5-daily');
    assert.deepEqual({ ...(policy === undefined ? {} : { 'ratelimit-policy': policy, ratelimit }) }, told);
  });
}
