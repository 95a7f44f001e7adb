import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readAccessLog } from '../../src/envoy/wire/access-log.ts';
import { holdToFields } from '../../src/ledger/fields.ts';
import type { LogEntry } from '../../src/metering/entry.ts';
import { HOLD } from './checks.ts';
import { encode, struct } from './protos.ts';

const MESSAGE = 'envoy.service.accesslog.v3.StreamAccessLogsMessage';

type Parts = Readonly<Record<string, unknown>>;

function entry(common: Parts, rest: Parts = {}): Parts {
  return {
    common_properties: {
      downstream_remote_address: { socket_address: { address: '10.0.0.7', port_value: 4 } },
      start_time: { seconds: 1_790_000_000, nanos: 250_999_999 },
      access_log_type: 6,
      upstream_cluster: 'openai',
      filter_state_objects: { x: { type_url: 't', value: Buffer.from([1]) } },
      ...common,
    },
    request: { request_method: 3, path: '/v1/chat/completions', user_agent: 'x', ...(rest['request'] as Parts) },
    response: { response_code: { value: 200 }, ...(rest['response'] as Parts) },
  };
}

const message = (...entries: Parts[]): Buffer =>
  encode(MESSAGE, { identifier: { node: { id: 'n' }, log_name: 'tollgate' }, http_logs: { log_entry: entries } });

function only(...args: Parameters<typeof entry>): LogEntry {
  const batch = readAccessLog(message(entry(...args)));
  assert.equal(batch.faulty, 0);
  assert.equal(batch.entries.length, 1);
  return batch.entries[0]!;
}

const DECIDED = {
  'envoy.filters.http.ext_authz': struct({ tollgate: Object.fromEntries(holdToFields(HOLD)), ext_authz_duration: 3 }),
};

test('an entry that ended well', () => {
  const found = only(
    {
      metadata: {
        filter_metadata: {
          ...DECIDED,
          'tollgate.usage': struct({ usage: '{"prompt_tokens":5}', output_tokens: 7, flag: true, deep: { a: 'b' } }),
          'envoy.lb': struct({ canary: true }),
        },
      },
      upstream_request_attempt_count: 3,
      upstream_wire_bytes_sent: '1239',
      time_to_first_upstream_rx_byte: { seconds: 1 },
      duration: { seconds: 2, nanos: 500_000_000 },
      response_flags: { upstream_remote_reset: true },
    },
    {
      response: {
        response_body_bytes: '4711',
        response_code_details: 'via_upstream',
        response_headers: { 'content-type': 'text/event-stream', other: 'x' },
      },
      request: { request_id: 'f3a1', request_headers: { 'x-tollgate-decision': 'abc' } },
    },
  );
  assert.deepEqual(found, {
    kind: 'end',
    decision: new Map(holdToFields(HOLD)),
    requestId: 'f3a1',
    usage: new Map<string, string | number>([
      ['usage', '{"prompt_tokens":5}'],
      ['output_tokens', 7],
    ]),
    status: 200,
    details: 'via_upstream',
    attempts: 3,
    upstreamBytes: 1239,
    firstByte: true,
    responseBytes: 4711,
    responseContentType: 'text/event-stream',
    durationMs: 2500,
  });
});

test('L11 an entry with nothing in it', () => {
  const { entries } = readAccessLog(message({}));
  assert.deepEqual(entries, [
    {
      kind: 'other',
      decision: undefined,
      requestId: undefined,
      usage: new Map(),
      status: 0,
      details: '',
      attempts: 0,
      upstreamBytes: 0,
      firstByte: false,
      responseBytes: 0,
      responseContentType: undefined,
      durationMs: undefined,
    },
  ]);
});

const KINDS: readonly [type: number, kind: LogEntry['kind']][] = [
  [0, 'other'],
  [1, 'other'],
  [3, 'other'],
  [4, 'other'],
  [5, 'periodic'],
  [6, 'end'],
  [7, 'other'],
  [8, 'other'],
  [9, 'other'],
  [10, 'other'],
  [99, 'other'],
];

for (const [type, kind] of KINDS) {
  test(`access log type ${type} is ${kind}`, () => {
    assert.equal(only({ access_log_type: type }).kind, kind);
  });
}

test('the decision id in a header is not believed: there it may be the client’s', () => {
  const request = { request_headers: { 'x-tollgate-decision': 'abc', 'user-agent': 'x' } };
  assert.equal(only({}, { request }).decision, undefined);
});

test('our struct in a foreign namespace, or one that is no struct, is not a decision', () => {
  const ours = { tollgate: { decision_id: 'abc' } };
  assert.equal(only({ metadata: { filter_metadata: { 'tollgate.request': struct(ours) } } }).decision, undefined);
  const text = { 'envoy.filters.http.ext_authz': struct({ tollgate: 'abc' }) };
  assert.equal(only({ metadata: { filter_metadata: text } }).decision, undefined);
});

const DAY = 86_400_000;
const DURATIONS: readonly [n: number, duration: Parts, durationMs: number][] = [
  [1, {}, 0],
  [2, { seconds: -3, nanos: -1 }, 0],
  [3, { seconds: '9223372036854775807' }, DAY],
  [4, { seconds: '-9223372036854775808' }, 0],
  [5, { nanos: 1_999_999 }, 1],
];

for (const [n, duration, durationMs] of DURATIONS) {
  test(`L11 duration ${n} is clamped to what can be`, () => {
    assert.equal(only({ duration }).durationMs, durationMs);
  });
}

test('sizes beyond 2^53 are held there', () => {
  const most = '18446744073709551615';
  const found = only({ upstream_wire_bytes_sent: most }, { response: { response_body_bytes: most } });
  assert.deepEqual([found.upstreamBytes, found.responseBytes], [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]);
});

test('L11 an entry that cannot be read is counted, its neighbours are kept', () => {
  const good = encode('envoy.data.accesslog.v3.HTTPAccessLogEntry', entry({}));
  // common_properties claims more bytes than the entry has.
  const bad = Buffer.from([0x0a, 0x7f, 0x01]);
  const field = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0x0a]), varint(bytes.length), bytes]);
  const entries = Buffer.concat([field(good), field(bad), field(good)]);
  const batch = readAccessLog(Buffer.concat([Buffer.from([0x12]), varint(entries.length), entries]));
  assert.equal(batch.faulty, 1);
  assert.equal(batch.entries.length, 2);
});

test('of a message that is cut, the entries before the cut are kept', () => {
  const inner = encode('envoy.service.accesslog.v3.StreamAccessLogsMessage.HTTPAccessLogEntries', {
    log_entry: [entry({}), entry({})],
  });
  const cut = inner.subarray(0, inner.length - 5);
  const batch = readAccessLog(Buffer.concat([Buffer.from([0x12]), varint(cut.length), cut]));
  assert.equal(batch.faulty, 1);
  assert.equal(batch.entries.length, 1);
});

test('TCP entries are passed over', () => {
  const tcp = encode(MESSAGE, { tcp_logs: { log_entry: [{ common_properties: { stream_id: 'x' } }] } });
  assert.deepEqual(readAccessLog(tcp), { entries: [], faulty: 0 });
});

test('no bytes make it throw', () => {
  const whole = message(entry({ metadata: { filter_metadata: DECIDED } }), entry({}));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }), (flips) => {
      const bytes = Buffer.from(whole);
      for (const [at, byte] of flips) bytes[at] = byte;
      const batch = readAccessLog(bytes);
      assert.ok(batch.entries.length <= 2 && batch.faulty <= 3);
    }),
    { seed: 9, numRuns: 3000 },
  );
  for (let length = 0; length < whole.length; length++) {
    const batch = readAccessLog(whole.subarray(0, length));
    assert.ok(batch.entries.length < 2);
  }
});

test('random entries arrive as they were sent', () => {
  fc.assert(
    fc.property(
      fc.record({
        attempts: fc.nat(20),
        bytes: fc.maxSafeNat(),
        status: fc.integer({ min: 0, max: 599 }),
        details: fc.stringMatching(/^[a-z_]{0,30}$/),
        usage: fc.dictionary(fc.string(), fc.oneof(fc.string({ unit: 'grapheme' }), fc.double({ noNaN: true }))),
      }),
      ({ attempts, bytes, status, details, usage }) => {
        const found = only(
          {
            upstream_request_attempt_count: attempts,
            metadata: { filter_metadata: { 'tollgate.usage': struct(usage) } },
          },
          {
            response: {
              response_code: { value: status },
              response_body_bytes: String(bytes),
              response_code_details: details,
            },
          },
        );
        assert.deepEqual(
          [found.attempts, found.responseBytes, found.status, found.details],
          [attempts, bytes, status, details],
        );
        assert.deepEqual(found.usage, new Map(Object.entries(usage)));
      },
    ),
    { seed: 10, numRuns: 200 },
  );
});

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}
