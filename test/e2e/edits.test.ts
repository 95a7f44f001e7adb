/** Bodies as the provider sees them, byte for byte, and what its answers cost. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import OpenAI from 'openai';
import type { Edit } from '../../src/dialects/dialect.ts';
import type { StubBehaviour } from '../../tools/stub/behaviour.ts';
import { headerOf, type StubRecord } from '../../tools/stub/records.ts';
import { applyEdits } from '../support/apply-edits.ts';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { type Answer, send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';

const CHAT = '/v1/chat/completions';
const MESSAGES = '/v1/messages';
const MIB = 1024 * 1024;

const need = await needEnvoy();

describe('bodies and bills', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: {
      // A call that may take more than 100k tokens of gpt-5 is served by gpt-5-mini; so `max_tokens` chooses.
      'plans.yaml': plansWith({
        limits: ['{name: gpt5-hourly, max: 100k tokens per hour, models: [gpt-5]}'],
        ladder: ['{at: 100% of gpt5-hourly, from: gpt-5, use: gpt-5-mini}'],
      }),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith(),
    },
    callers: { edits: { account: 'acme/edits' }, sdk: { account: 'acme/sdk' }, bills: { account: 'acme/bills' } },
    gateway: { checkTimeoutMs: 2000 },
  });
  const book = bookOf(stack.ledger);
  beforeEach(() => stack.stub.reset());

  /** Sends a body and answers what the provider saw of it. */
  async function seen(body: Buffer, options: { chunked?: boolean; path?: string } = {}): Promise<Seen> {
    const { chunked = false, path = CHAT } = options;
    const headers = { authorization: `Bearer ${stack.key.edits}` };
    const answer = await send({ url: stack.url, path, headers, body, chunked });
    assert.equal(answer.status, 200, answer.text);
    const records = stack.stub.recordsOf(String(answer.headers['x-tollgate-decision']));
    assert.equal(records.length, 1);
    return { answer, record: records[0]! };
  }

  for (const [index, row] of ROWS.entries()) {
    test(`${index + 1} ${row.name}`, async () => {
      const body = Buffer.from(row.body);
      const expected = applyEdits(
        body,
        row.edits.map((edit) => edit(body)),
      );
      const { answer, record } = await seen(body, row);
      assert.equal(answer.headers['x-tollgate-model'], row.served);
      assert.equal(record.body.length, expected.length);
      assert.ok(record.body.equals(expected), `the provider saw ${record.body.subarray(0, 2000)}`);
      assert.deepEqual(headerOf(record, 'content-length'), [String(expected.length)]);
      assert.deepEqual(headerOf(record, 'x-tollgate-edit'), []);
      assert.deepEqual(headerOf(record, 'x-tollgate-edit-size'), []);
      const read = JSON.parse(record.body.toString());
      assert.equal(read.model, row.served);
      if (read.stream === true && row.path === undefined) assert.equal(read.stream_options.include_usage, true);
    });
  }

  test('an SDK stream without include_usage is billed from reported usage', async () => {
    let sent = '';
    const client = new OpenAI({
      apiKey: stack.key.sdk,
      baseURL: `${stack.url}/v1`,
      maxRetries: 0,
      fetch: (url, init) => {
        sent = String(init?.body);
        return fetch(url, init);
      },
    });
    stack.stub.setBehaviour({ usage: { input: 1000, cacheRead: 200, output: 30, reasoning: 10 } });
    const { data, response } = await client.chat.completions
      .create({ model: 'gpt-5-mini', messages: [{ role: 'user', content: 'Grüße' }], max_tokens: 50, stream: true })
      .withResponse();
    let text = '';
    let usage: unknown;
    for await (const chunk of data) {
      text += chunk.choices[0]?.delta.content ?? '';
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, 'word'.repeat(30));
    assert.equal((usage as { completion_tokens: number }).completion_tokens, 30);

    const id = String(response.headers.get('x-tollgate-decision'));
    const [record] = stack.stub.recordsOf(id);
    const body = Buffer.from(sent);
    assert.doesNotMatch(sent, /stream_options/);
    assert.ok(record!.body.equals(applyEdits(body, [ADD_USAGE(body)])));
    const { end } = await book.ended(id);
    assert.equal(end.kind, 'settled');
    assert.equal(end.source, 'hold');
    assert.deepEqual(end.flags, []);

    const { code, stdout, stderr } = await stack.cli([
      ...['report', '--ledger', stack.ledger, '--account', 'acme/sdk', '--format', 'json'],
      ...['--by', 'account,model,meter'],
    ]);
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout) as Report;
    assert.deepEqual(
      report.rows.map((row) => [row.account, row.model, row.meter, row.quantities[row.meter], row.charge, row.cost]),
      [
        ['acme/sdk', 'gpt-5-mini', 'input', 1000, '0.000250000', '0.000200000'],
        ['acme/sdk', 'gpt-5-mini', 'cache_read', 200, '0.000005000', '0.000004000'],
        ['acme/sdk', 'gpt-5-mini', 'output', 30, '0.000060000', '0.000048000'],
        ['acme/sdk', 'gpt-5-mini', 'reasoning', 10, '0.000000000', '0.000000000'],
      ],
    );
    assert.deepEqual(
      report.totals.map((total) => [total.requests, total.charge, total.cost]),
      [[1, '0.000315000', '0.000252000']],
    );
    assert.equal(report.open, 0);
  });

  for (const [index, row] of BILLS.entries()) {
    test(`bill ${index + 1}: ${row.name}`, async () => {
      const path = row.model === 'claude-sonnet' ? MESSAGES : CHAT;
      const answer = await send({
        url: stack.url,
        path,
        headers: { authorization: `Bearer ${stack.key.bills}`, 'stub-behaviour': JSON.stringify(row.answers) },
        body: { model: row.model, max_tokens: 50, messages: [], ...(row.stream === true ? { stream: true } : {}) },
      });
      assert.equal(answer.status, 200, answer.text);
      const id = String(answer.headers['x-tollgate-decision']);
      const { hold, end } = await book.ended(id);
      assert.equal(hold.model, row.model);
      assert.equal(hold.stream, row.stream === true);
      assert.equal(end.kind, 'settled');
      assert.equal(end.answeredModel, row.answers.model ?? row.model);
      assert.equal(end.pricedModel, row.priced ?? row.model);
      assert.deepEqual(end.flags, row.flags ?? []);
      assert.deepEqual(
        book.allowed(id)!.lines.map((line) => [line.meter, line.quantity, line.charge, line.cost]),
        row.lines,
      );
    });
  }
});

interface Seen {
  readonly answer: Answer;
  readonly record: StubRecord;
}

interface Report {
  readonly rows: readonly {
    readonly account: string;
    readonly model: string;
    readonly meter: string;
    readonly quantities: Readonly<Record<string, number>>;
    readonly charge: string;
    readonly cost: string;
  }[];
  readonly totals: readonly { readonly requests: number; readonly charge: string; readonly cost: string }[];
  readonly open: number;
}

type EditOf = (body: Buffer) => Edit;

/** Puts `text` in the place of the first `found`. Found by us, not by what is tested. */
function replaced(found: string, text: string): EditOf {
  return (body) => ({ offset: placeOf(body, found), length: Buffer.byteLength(found), text });
}

/** Puts `text` in the place of the last `found`. */
function replacedLast(found: string, text: string): EditOf {
  return (body) => ({ offset: body.lastIndexOf(found), length: Buffer.byteLength(found), text });
}

/** Puts `text` right behind the first `found`. */
function behind(found: string, text: string): EditOf {
  return (body) => ({ offset: placeOf(body, found) + Buffer.byteLength(found), length: 0, text });
}

function placeOf(body: Buffer, found: string): number {
  const offset = body.indexOf(found);
  assert.ok(offset >= 0, `the row's body has no ${found}`);
  return offset;
}

const MEMBER = '"include_usage":true';
const USAGE = `,"stream_options":{${MEMBER}}`;
const DOWN = replaced('"gpt-5"', '"gpt-5-mini"');
const ADD_USAGE = behind('"stream":true', USAGE);

interface Row {
  readonly name: string;
  readonly body: string;
  /** In the order of their places. */
  readonly edits: readonly EditOf[];
  readonly served: string;
  readonly chunked?: boolean;
  readonly path?: string;
}

/** `"max_tokens":120000` takes the step from gpt-5 to gpt-5-mini, `"max_tokens":5` does not. */
const SEED =
  '{"model":"gpt-5","seed":1234567890123456789,"max_tokens":120000,"temperature":1.0,"top_p":1e-1,"messages":[]}';
const SCHEMA =
  '{"max_tokens":120000,"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":' +
  '{"type":"object","properties":{"zeta":{"type":"string"},"alpha":{"type":"number"},"10":{},"9":{},"":{},' +
  '"model":{"const":"gpt-5"}},"required":["zeta","alpha"]}}},"messages":[],"model":"gpt-5"}';
const TEXT =
  '{"model":"gpt-5","max_tokens":120000,"messages":[{"role":"user","content":"Grüße, 世界 😀 \\u00e9\\ud83d\\ude00\\/ ' +
  '\u2028; 1,2,x; \u007f \\"model\\":\\"gpt-5\\""}]}';
const SPACE =
  ' \r\n\t{ "messages" : [ ] ,\n\n\t"max_tokens"\t:\r120000 ,\n  "model" \n:\t "gpt-5"\t,"stream" : true\t, "x":[ 1 , {} ] }\n\n \t';

/** A streamed call of gpt-5-mini with these stream options. */
function streamed(options: string): string {
  return `{"model":"gpt-5-mini","max_tokens":5,"messages":[],"stream":true,"stream_options":${options}}`;
}

/** A body of exactly this many bytes, text beyond ASCII in its middle, model and stream at its end. */
function sized(bytes: number, rest: string): string {
  const [head, tail] = ['{"messages":[{"role":"user","content":"', `"}],${rest}}`];
  const room = bytes - Buffer.byteLength(head + tail);
  return `${head}${'x'.repeat(room % 2)}${'ü'.repeat(Math.floor(room / 2))}${tail}`;
}

const ROWS: readonly Row[] = [
  { name: 'a seed of 19 digits, numbers in odd forms', body: SEED, edits: [DOWN], served: 'gpt-5-mini' },
  {
    name: 'a JSON schema whose key order matters, with a `model` of its own',
    body: SCHEMA,
    edits: [replacedLast('"gpt-5"', '"gpt-5-mini"')],
    served: 'gpt-5-mini',
  },
  { name: 'text beyond ASCII, escapes, what looks like an edit', body: TEXT, edits: [DOWN], served: 'gpt-5-mini' },
  {
    name: 'odd white space before, within and after',
    body: SPACE,
    edits: [DOWN, behind('"stream" : true', USAGE)],
    served: 'gpt-5-mini',
  },
  {
    name: 'a model whose name is written in escapes',
    body: '{"model":"gpt\\u002d5","max_tokens":120000,"messages":[]}',
    edits: [replaced('"gpt\\u002d5"', '"gpt-5-mini"')],
    served: 'gpt-5-mini',
  },
  {
    name: 'the key `model` written in escapes',
    body: '{"m\\u006fdel":"gpt-5","max_tokens":120000,"messages":[]}',
    edits: [DOWN],
    served: 'gpt-5-mini',
  },
  {
    name: 'downgraded and made to report usage, the model first',
    body: '{"model":"gpt-5","max_tokens":120000,"stream":true,"messages":[]}',
    edits: [DOWN, ADD_USAGE],
    served: 'gpt-5-mini',
  },
  {
    name: 'downgraded and made to report usage, the model last',
    body: '{"stream":true,"stream_options":{"include_usage":false},"max_tokens":120000,"messages":[],"model":"gpt-5"}',
    edits: [replaced('false', 'true'), DOWN],
    served: 'gpt-5-mini',
  },
  {
    name: 'model and stream side by side at the end',
    body: '{"messages":[],"max_tokens":120000,"model":"gpt-5","stream":true}',
    edits: [DOWN, ADD_USAGE],
    served: 'gpt-5-mini',
  },
  {
    name: 'stream options of null',
    body: streamed('null'),
    edits: [replaced('null', '{"include_usage":true}')],
    served: 'gpt-5-mini',
  },
  { name: 'empty stream options', body: streamed('{}'), edits: [behind('options":{', MEMBER)], served: 'gpt-5-mini' },
  {
    name: 'empty stream options with white space',
    body: streamed('{ \n}'),
    edits: [behind('options":{', MEMBER)],
    served: 'gpt-5-mini',
  },
  {
    name: 'other stream options',
    body: streamed('{ "include_obfuscation" : false }'),
    edits: [behind('options":{', `${MEMBER},`)],
    served: 'gpt-5-mini',
  },
  {
    name: 'an explicit include_usage: false',
    body: streamed('{"include_obfuscation":false,"include_usage" :\tfalse }'),
    edits: [replacedLast('false', 'true')],
    served: 'gpt-5-mini',
  },
  {
    name: 'include_usage: null, its key in escapes',
    body: streamed('{"include\\u005fusage":null}'),
    edits: [replaced('null', 'true')],
    served: 'gpt-5-mini',
  },
  { name: 'a stream that reports already', body: streamed('{"include_usage":true}'), edits: [], served: 'gpt-5-mini' },
  {
    name: 'no stream',
    body: '{"model":"gpt-5-mini","max_tokens":5,"stream":false,"messages":[]}',
    edits: [],
    served: 'gpt-5-mini',
  },
  {
    name: 'served as asked',
    body: '{"model":"gpt-5","max_tokens":5,"messages":[],"model_":"gpt-5-latest"}',
    edits: [],
    served: 'gpt-5',
  },
  {
    name: 'an alias is spelled out',
    body: '{"model":"gpt-5-latest","max_tokens":5,"messages":[]}',
    edits: [replaced('"gpt-5-latest"', '"gpt-5"')],
    served: 'gpt-5',
  },
  {
    name: 'an alias, downgraded',
    body: '{"model":"gpt-5-latest","max_tokens":120000,"messages":[]}',
    edits: [replaced('"gpt-5-latest"', '"gpt-5-mini"')],
    served: 'gpt-5-mini',
  },
  {
    name: 'a chunked body',
    body: '{"model":"gpt-5","max_tokens":120000,"stream":true,"messages":[]}',
    edits: [DOWN, ADD_USAGE],
    served: 'gpt-5-mini',
    chunked: true,
  },
  {
    name: 'a chunked body as it came',
    body: '{"model":"gpt-5-mini","max_tokens":5,"messages":[]}',
    edits: [],
    served: 'gpt-5-mini',
    chunked: true,
  },
  {
    name: '1 MB',
    body: sized(1_000_000, '"max_tokens":120000,"model":"gpt-5"'),
    edits: [DOWN],
    served: 'gpt-5-mini',
  },
  {
    name: '1 MB, chunked, both edits',
    body: sized(1_000_000, '"max_tokens":120000,"stream":true,"model":"gpt-5"'),
    edits: [ADD_USAGE, DOWN],
    served: 'gpt-5-mini',
    chunked: true,
  },
  {
    name: '4 MiB to the byte, growing by both edits',
    body: sized(4 * MIB, '"max_tokens":120000,"model":"gpt-5","stream":true'),
    edits: [DOWN, ADD_USAGE],
    served: 'gpt-5-mini',
  },
  {
    name: '4 MiB to the byte, as it came',
    body: sized(4 * MIB, '"max_tokens":5,"model":"gpt-5-mini"'),
    edits: [],
    served: 'gpt-5-mini',
  },
  {
    name: 'Anthropic: an alias is spelled out, a stream needs no edit',
    body: '{"model" : "claude-sonnet-latest","max_tokens":5,"stream":true,"messages":[],"metadata":{"user_id":"ü"}}',
    edits: [replaced('"claude-sonnet-latest"', '"claude-sonnet"')],
    served: 'claude-sonnet',
    path: MESSAGES,
  },
];

interface Bill {
  readonly name: string;
  readonly model: string;
  readonly stream?: true;
  readonly answers: Partial<StubBehaviour>;
  readonly priced?: string;
  readonly flags?: readonly string[];
  /** Meter, quantity, charge and cost in 10^-9 USD. */
  readonly lines: readonly (readonly [meter: string, quantity: number, charge: bigint, cost: bigint])[];
}

const USED = { input: 1000, cacheRead: 200, output: 30 };
const CACHED = { ...USED, cacheWrite5m: 100, cacheWrite1h: 50 };
const GPT5: Bill['lines'] = [
  ['input', 1000, 1_250_000n, 1_000_000n],
  ['cache_read', 200, 25_000n, 20_000n],
  ['output', 30, 300_000n, 240_000n],
];
const MINI: Bill['lines'] = [
  ['input', 1000, 250_000n, 200_000n],
  ['cache_read', 200, 5_000n, 4_000n],
  ['output', 30, 60_000n, 48_000n],
];
const SONNET: Bill['lines'] = [
  ['input', 1000, 3_000_000n, 2_400_000n],
  ['cache_read', 200, 60_000n, 48_000n],
  ['cache_write_5m', 100, 375_000n, 300_000n],
  ['cache_write_1h', 50, 300_000n, 240_000n],
  ['output', 30, 450_000n, 360_000n],
];

const BILLS: readonly Bill[] = [
  { name: 'a JSON answer', model: 'gpt-5', answers: { usage: USED }, lines: GPT5 },
  {
    name: 'Anthropic: a stream settles from message_start and message_delta, caches included',
    model: 'claude-sonnet',
    stream: true,
    answers: { usage: CACHED },
    lines: SONNET,
  },
  { name: 'Anthropic: a JSON answer', model: 'claude-sonnet', answers: { usage: CACHED }, lines: SONNET },
  {
    name: 'a dated answer is priced by its own name',
    model: 'gpt-5',
    answers: { usage: USED, model: 'gpt-5-2026-01-01' },
    lines: GPT5,
  },
  {
    name: 'a dated answer of a stream as well',
    model: 'gpt-5',
    stream: true,
    answers: { usage: USED, model: 'gpt-5-2026-01-01' },
    lines: GPT5,
  },
  {
    name: 'an unknown model that answers is priced as the decided one, and flagged',
    model: 'gpt-5',
    answers: { usage: USED, model: 'gpt-6-preview' },
    flags: ['unknown_model'],
    lines: GPT5,
  },
  {
    name: 'the same of a stream',
    model: 'gpt-5-mini',
    stream: true,
    answers: { usage: USED, model: 'gpt-5-minimal' },
    flags: ['unknown_model'],
    lines: MINI,
  },
  {
    name: 'a known model that answers for another is priced as itself, and flagged',
    model: 'gpt-5-mini',
    answers: { usage: USED, model: 'gpt-5-2026-01-01' },
    priced: 'gpt-5',
    flags: ['model_mismatch'],
    lines: GPT5,
  },
];
