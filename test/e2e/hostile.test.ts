/**
 * What a hostile client sends, as bytes on the wire, through the real Envoy. Whatever reaches the provider was allowed, under
 * the provider's own key, on a listed path, with the model that was decided, and is booked once.
 */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { parseDecisionId } from '../../src/core/ids.ts';
import { STUB_KEYS } from '../../tools/stub/keys.ts';
import { headerOf, type StubRecord } from '../../tools/stub/records.ts';
import { bookOf } from '../support/book.ts';
import { plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { sendFields, sendHttp2 } from '../support/http2.ts';
import { type RawAnswer, sendRaw } from '../support/raw.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';
import { BODIES } from './hostile/bodies.ts';
import { CLAIMS } from './hostile/claims.ts';
import { CREDENTIALS } from './hostile/credentials.ts';
import { FRAMINGS } from './hostile/framings.ts';
import { HEADERS } from './hostile/headers.ts';
import { HTTP2, MALFORMED_HTTP2 } from './hostile/http2.ts';
import { METHODS, PATHS } from './hostile/lines.ts';
import { MODELS } from './hostile/models.ts';
import { ASK, CALLERS, type Caller, CHAT, DOWNGRADED, MESSAGES, POST_CHAT, type Row } from './hostile/row.ts';

const ROWS: Readonly<Record<string, readonly Row[]>> = {
  'H6 H11 header': HEADERS,
  'H3 H4 H5 K4 K5 credential': CREDENTIALS,
  'H8 path': PATHS,
  'H10 H27 method': METHODS,
  'H26 framing': FRAMINGS,
  'H7 H14 H15 H16 H17 H19 H21 model': MODELS,
  'H13 H20 H22 H23 H24 body': BODIES,
  claim: CLAIMS,
};

/** Headers of a request that no provider may see. */
const NEVER_SENT_ON = [
  'api-key',
  'connection',
  'content-encoding',
  'cookie',
  'forwarded',
  'openai-organization',
  'openai-project',
  'proxy-authorization',
  'transfer-encoding',
  'upgrade',
  'x-forwarded-client-cert',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-goog-api-key',
  'x-http-method-override',
  'x-original-url',
  'x-rewrite-url',
];

const need = await needEnvoy();

/** `growth` leads from gpt-5 to gpt-5-mini where a call may take more than 100k tokens; `starter` has gpt-5-mini only. */
const PLANS = plansWith({
  limits: ['{name: gpt5-yearly, max: 100k tokens per year, models: [gpt-5]}'],
  ladder: ['{at: 100% of gpt5-yearly, from: gpt-5, use: gpt-5-mini}'],
}).replace(
  'prices:\n  standard:',
  `  starter:
    prices: standard
    entitlements: [{routes: [chat], models: [gpt-5-mini], classes: [interactive]}]
prices:
  standard:`,
);

function accountOf(customer: string, plan: string): string {
  return `${customer}:\n  plan: ${plan}\n  owner: cto@${customer}.example\n  timezone: UTC\n  unlisted: allow\n`;
}

describe('a hostile client', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: {
      'plans.yaml': PLANS,
      'accounts/acme.yaml': accountOf('acme', 'growth'),
      'accounts/globex.yaml': accountOf('globex', 'starter'),
      'traffic.yaml': trafficWith(),
    },
    callers: CALLERS,
    gateway: { checkTimeoutMs: 2000 },
  });
  const book = bookOf(stack.ledger);
  const served: { readonly id: string; readonly as: Caller; readonly model: string | undefined }[] = [];
  let released = 0;
  beforeEach(() => stack.stub.reset());

  const filled = (text: string): string =>
    text.replace(/<(open|batch|starter)>/g, (_, name: Caller) => stack.key[name]);
  const secrets = Object.values(stack.key);

  function bytesOf(row: Row): Buffer {
    if (row.bytes !== undefined) return Buffer.from(filled(row.bytes), 'latin1');
    const body = Buffer.from(row.body ?? ASK);
    const head = [
      row.line ?? POST_CHAT,
      'Host: gateway.example',
      ...(row.credential ?? [`Authorization: Bearer <${row.as ?? 'open'}>`]),
      ...(row.type ?? ['Content-Type: application/json']),
      ...(row.headers ?? []),
      ...(row.framing ?? [`Content-Length: ${body.length}`]),
      'Connection: close',
    ];
    return Buffer.concat([Buffer.from(filled(`${head.join('\r\n')}\r\n\r\n`), 'latin1'), body]);
  }

  /** An id that this Tollgate has minted, and nobody else. */
  function isOurs(id: string): boolean {
    return parseDecisionId(id)?.ledgerId === book.read((reader) => reader.ledgerId);
  }

  /** What holds of everything that reached the provider, whoever sent what. */
  function judge(record: StubRecord, { answers, as }: { answers: readonly Head[]; as: Caller }): void {
    const id = record.decisionId ?? '';
    assert.ok(isOurs(id), `decision \`${id}\``);
    const [answer, ...others] = answers.filter(({ decision }) => decision === id);
    assert.ok(answer !== undefined && others.length === 0, 'the provider and the caller were told two decisions');

    const names = record.headers.map(([name]) => name.toLowerCase());
    const ours = names.filter((name) => /^(x-)?(tollgate|envoy)-/.test(name));
    const isMetered = record.method === 'POST';
    const told = ['x-tollgate-decision', 'x-tollgate-model', 'x-tollgate-requested-model'];
    assert.deepEqual(ours.toSorted(), isMetered ? told : told.slice(0, 1));
    for (const name of NEVER_SENT_ON) assert.deepEqual(headerOf(record, name), [], name);
    const seen = `${record.path}\n${JSON.stringify(record.headers)}\n${record.body.toString('latin1')}`;
    assert.ok(!secrets.some((secret) => seen.includes(secret)), 'a caller’s key reached the provider');

    const path = record.path.split('?')[0]!;
    const toAnthropic = path === MESSAGES;
    assert.ok([`POST ${CHAT}`, `POST ${MESSAGES}`, 'GET /v1/models'].includes(`${record.method} ${path}`), path);
    assert.deepEqual(headerOf(record, 'authorization'), toAnthropic ? [] : [`Bearer ${STUB_KEYS.openai}`]);
    assert.deepEqual(headerOf(record, 'x-api-key'), toAnthropic ? [STUB_KEYS.anthropic] : []);

    served.push({ id, as, model: isMetered ? modelOf(record) : undefined });
    if (!isMetered) return;
    assert.equal(answer.model, modelOf(record));
    assert.ok((CALLERS[as].models as readonly string[]).includes(modelOf(record)), `served by \`${modelOf(record)}\``);
  }

  for (const [group, rows] of Object.entries(ROWS)) {
    for (const [index, row] of rows.entries()) {
      test(`${group} ${index + 1}: ${row.name}: ${row.status}`, async () => {
        const answers = (await sendRaw(stack.url, bytesOf(row), { count: row.requests ?? 1 })).map(headOf);
        const isServed = row.status === 200;
        assert.deepEqual(
          answers.map(({ status }) => status),
          Array.from({ length: row.requests ?? 1 }, () => row.status),
          answers[0]?.text,
        );
        const records = stack.stub.records();
        assert.equal(records.length, isServed ? answers.length : 0);
        for (const record of records) judge(record, { answers, as: row.as ?? 'open' });
        if (row.released === true) released += 1;
        for (const { decision, text } of answers) {
          const isDecided = isServed || row.code !== undefined;
          assert.ok(isDecided ? isOurs(decision ?? '') : decision === undefined, `decision \`${decision}\``);
          if (!isServed) assert.equal(codeOf(text), row.code);
          assert.ok(!secrets.some((secret) => text.includes(secret)), 'the answer shows a key');
        }
        if (!isServed) return;
        assert.equal(answers[0]!.model, row.line?.startsWith('GET') ? undefined : (row.served ?? 'gpt-5-mini'));
        if (row.classes === undefined) return;
        const { hold } = await book.ended(answers[0]!.decision!);
        assert.deepEqual(hold.classes, row.classes);
      });
    }
  }

  for (const [index, [name, change, status]] of HTTP2.entries()) {
    test(`http2 ${index + 1}: ${name}: ${status}`, async () => {
      const { headers = {}, body = [DOWNGRADED], trailers } = change;
      const answer = await sendHttp2(stack.url, {
        headers: {
          ':method': 'POST',
          ':path': CHAT,
          authorization: `Bearer ${stack.key.open}`,
          'content-type': 'application/json',
          ...headers,
        },
        body: body.map((piece) => Buffer.from(piece)),
        ...(trailers === undefined ? {} : { trailers }),
      });
      assert.equal(answer.status, status, answer.text);
      const records = stack.stub.records();
      assert.equal(records.length, status === 200 ? 1 : 0);
      const decision = answer.headers['x-tollgate-decision'] as string | undefined;
      const head = { status, decision, model: answer.headers['x-tollgate-model'] as string, text: answer.text };
      for (const record of records) judge(record, { answers: [head], as: 'open' });
      if (status === 200) assert.equal(head.model, 'gpt-5-mini');
    });
  }

  test('http2 malformed: no answer, and nobody is asked', async () => {
    const ends = MALFORMED_HTTP2.map(async ([name, fields]) => {
      const own = fields.map(([field, value]): [string, string] => [field, filled(value)]);
      return [name, await sendFields(stack.url, { fields: own, body: Buffer.from(ASK) })];
    });
    assert.deepEqual(
      await Promise.all(ends),
      MALFORMED_HTTP2.map(([name, , end = 'refused']) => [name, end]),
    );
    assert.equal(stack.stub.records().length, 0);
  });

  test('all that was served is booked once, as it was decided, and nothing else is', async () => {
    assert.ok(served.length > 0);
    for (const { id, as, model } of served) {
      const { hold, end, charge } = await book.ended(id);
      assert.equal(hold.account, CALLERS[as].account, id);
      // Were the copy in Envoy's metadata another than the hold, the end would be flagged.
      assert.deepEqual([end.kind, end.status, end.flags], ['settled', 200, []], id);
      assert.deepEqual([hold.model, end.answeredModel], [model, model], id);
      assert.ok(model === undefined || charge > 0n, `${id} was served for nothing`);
    }
    const { holds, ended, open, orphans, closes } = book.census();
    assert.equal(holds, served.length + released);
    assert.deepEqual([ended.settled, ended.released], [served.length, released]);
    assert.deepEqual([open, orphans, closes], [0, 0, true]);
  });
});

function modelOf(record: StubRecord): string {
  return (JSON.parse(record.body.toString()) as { model: string }).model;
}

/** What matters of an answer. */
interface Head {
  readonly status: number;
  readonly decision: string | undefined;
  readonly model: string | undefined;
  readonly text: string;
}

function headOf({ status, headers, text }: RawAnswer): Head {
  const [decision, ...others] = headers.get('x-tollgate-decision') ?? [];
  assert.equal(others.length, 0, 'two decisions in one answer');
  return { status, decision, model: headers.get('x-tollgate-model')?.join(), text };
}

function codeOf(text: string): string | undefined {
  if (!text.startsWith('{')) return undefined;
  const { error } = JSON.parse(text) as { error: { code?: string; details?: { error_code: string } } };
  return error.code ?? error.details?.error_code;
}
