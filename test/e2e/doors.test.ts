/**
 * The doors of a whole Tollgate behind a real Envoy: that no route is found here which Envoy would not take (H8), that no
 * host decides anything (H9), and that no secret comes out anywhere (K8). DOORS_PATHS and DOORS_SEED: how many, and which.
 */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { loadBundle } from '../../src/policy/bundle.ts';
import { STUB_KEYS } from '../../tools/stub/keys.ts';
import { Dice, fromEnv } from '../doors/dice.ts';
import { generatedPath } from '../doors/paths.ts';
import { startTee } from '../support/access-log-tee.ts';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { type Answer, type Sent, send } from '../support/http.ts';
import { type RawAnswer, sendRaw } from '../support/raw.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';
import { until } from '../support/until.ts';
import { ASK, CHAT, MESSAGES } from './hostile/row.ts';

const PATHS = fromEnv('DOORS_PATHS', 2000);
const SEED = fromEnv('DOORS_SEED', 20_261_124);
/** A connection for each: behind some refusals Envoy keeps one open for a second, in which it answers nothing. */
const AT_ONCE = 50;

const need = await needEnvoy();

describe('doors', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const tee = await startTee(scope);
  const stack = await stackFor(scope, {
    files: {
      'plans.yaml': plansWith({ limits: ['{name: tiny-yearly, max: 300k tokens per year, each: credential}'] }),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith(),
    },
    callers: { open: { account: 'acme/open' }, spent: { account: 'acme/spent' } },
    gateway: { checkTimeoutMs: 2000, accessLog: { path: tee.path } },
  });
  tee.to(stack.accessLog);
  beforeEach(() => stack.stub.reset());
  const { policy } = await loadBundle(stack.bundle);
  assert.ok(policy !== undefined);

  /** Without a key: 401 of ours says that both found a route. Undefined: Envoy hung up, as it was no request. */
  async function toldOf(path: string): Promise<Told | undefined> {
    const head = `POST ${path} HTTP/1.1\r\nHost: g.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
    const [answer] = await sendRaw(stack.url, Buffer.from(head, 'latin1'));
    return answer === undefined ? undefined : toldBy(answer);
  }

  test('H8 no generated path has a route here that Envoy would not have taken', async (t) => {
    const dice = new Dice(SEED);
    const counts = { ours: 0, both: 0, refused: 0 };
    for (let left = PATHS; left > 0; left -= AT_ONCE) {
      const paths = Array.from({ length: Math.min(left, AT_ONCE) }, () => generatedPath(dice));
      const told = await Promise.all(paths.map(toldOf));
      for (const [index, path] of paths.entries()) {
        const answer = told[index];
        const isOurs = policy.route('POST', path.split('?')[0]!) !== undefined;
        const said = `${JSON.stringify(path)} is told ${JSON.stringify(answer)}`;
        if (isOurs) assert.deepEqual(answer, { status: 401, isDecided: true }, said);
        // Envoy's sample has routes that this bundle does not list: it may take more paths, never fewer.
        else if (answer?.isDecided === true) assert.ok([401, 404].includes(answer.status), said);
        if (isOurs) counts.ours++;
        if (answer?.status === 401) counts.both++;
        else counts.refused++;
      }
    }
    t.diagnostic(
      `seed ${SEED}: ${PATHS} paths, ${counts.ours} ours as they stand, ${counts.both} after Envoy, ${counts.refused} refused by it`,
    );
    assert.ok(counts.ours > 0 && counts.both > counts.ours && counts.refused > 0);
    assert.equal(stack.stub.records().length, 0);
  });

  const HOSTS: readonly (readonly [host: string, status: number])[] = [
    ['gateway.example:8443', 200],
    ['GATEWAY.example.', 200],
    ['api.openai.com', 200],
    ['[::1]:80', 200],
    ['admin@gateway.example', 200],
    ['gateway.example, other.example', 400],
    ['gateway.example/x', 400],
    ['', 200],
  ];
  for (const [host, status] of HOSTS) {
    test(`H9 the host \`${host}\` decides nothing: ${status}`, async () => {
      const head = `POST ${CHAT} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${stack.key.open}\r\nContent-Type: application/json\r\nContent-Length: ${ASK.length}\r\n\r\n`;
      const [answer] = await sendRaw(stack.url, Buffer.from(head + ASK, 'latin1'));
      assert.equal(answer?.status, status, answer?.text);
      assert.equal(stack.stub.records().length, status === 200 ? 1 : 0);
    });
  }

  test('K8 canaries: no secret and no text of a body comes out anywhere', async (t) => {
    const stranger = mintApiKey('prod').key;
    const canary = (name: string): string => `canary${name}${mintApiKey('prod').key.slice(-30)}`;
    const told = { text: canary('Text'), query: canary('Query'), model: canary('Model'), scheme: canary('Scheme') };
    const pepper = (await readFile(join(dirname(stack.bundle), 'pepper-v1'), 'utf8')).trim();
    const secrets: Readonly<Record<string, string>> = {
      'API key': stack.key.open,
      'secret of the API key': stack.key.open.split('_').at(-1)!,
      'other API key': stack.key.spent,
      'refused key': stranger,
      'secret of the refused key': stranger.split('_').at(-1)!,
      'provider key': STUB_KEYS.openai,
      'other provider key': STUB_KEYS.anthropic,
      pepper,
      'text of a body': told.text,
      'credential in the query': told.query,
      'another scheme': told.scheme,
    };
    const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });
    const chat = (more: object = {}): object => ({
      model: 'gpt-5-mini',
      max_tokens: 5,
      messages: [{ role: 'user', content: told.text }],
      ...more,
    });
    const calls: readonly (readonly [what: string, sent: Omit<Sent, 'url'>, status: number])[] = [
      ['allowed', { path: CHAT, headers: bearer(stack.key.open), body: chat() }, 200],
      ['allowed, streamed', { path: CHAT, headers: bearer(stack.key.open), body: chat({ stream: true }) }, 200],
      [
        'allowed, Anthropic',
        { path: MESSAGES, headers: { 'x-api-key': stack.key.open }, body: chat({ model: 'claude-sonnet' }) },
        200,
      ],
      [
        'over its limit',
        { path: CHAT, headers: bearer(stack.key.spent), body: chat({ max_tokens: 120_000, n: 4 }) },
        429,
      ],
      ['an unknown model', { path: CHAT, headers: bearer(stack.key.open), body: chat({ model: 'gpt-x' }) }, 404],
      [
        'a model that is none',
        { path: CHAT, headers: bearer(stack.key.open), body: chat({ model: ` ${told.text}` }) },
        400,
      ],
      [
        'a cap that is none',
        { path: CHAT, headers: bearer(stack.key.open), body: chat({ max_tokens: told.text }) },
        400,
      ],
      ['a body that is none', { path: CHAT, headers: bearer(stack.key.open), body: `{"${told.text}` }, 400],
      [
        'a media type',
        { path: CHAT, headers: { ...bearer(stack.key.open), 'content-type': told.text }, body: '{}' },
        415,
      ],
      [
        'a claim',
        { path: CHAT, headers: { ...bearer(stack.key.open), 'tollgate-class': told.text }, body: chat() },
        400,
      ],
      ['a stranger', { path: CHAT, headers: bearer(stranger), body: chat() }, 401],
      ['a stranger by x-api-key', { path: MESSAGES, headers: { 'x-api-key': stranger }, body: chat() }, 401],
      ['a provider key', { path: CHAT, headers: bearer(STUB_KEYS.openai), body: chat() }, 401],
      ['a key that was mistyped', { path: CHAT, headers: bearer(`${stack.key.open}x`), body: chat() }, 401],
      ['another scheme', { path: CHAT, headers: { authorization: `Basic ${told.scheme}` }, body: chat() }, 401],
      ['two keys', { path: CHAT, headers: { ...bearer(stranger), 'x-api-key': stack.key.open }, body: chat() }, 400],
      ['a key in the query', { path: `${CHAT}?note=${told.query}`, headers: bearer(stranger), body: chat() }, 401],
    ];
    const sinks = new Map<string, string>();
    const ids: string[] = [];
    const drive = async (what: string, sent: Omit<Sent, 'url'>, status: number): Promise<void> => {
      const answer = await send({ url: stack.url, ...sent });
      assert.equal(answer.status, status, `${what}: ${answer.text}`);
      const id = answer.headers['x-tollgate-decision'];
      if (typeof id === 'string') ids.push(id);
      sinks.set(`answer to ${what}`, shown(answer, status));
    };
    for (const [what, sent, status] of calls) await drive(what, sent, status);
    stack.stub.setBehaviour({ failures: 1 });
    await drive('failed', { path: CHAT, headers: bearer(stack.key.open), body: chat() }, 503);
    assert.equal(ids.length, calls.length + 1);
    const book = bookOf(stack.ledger);
    await book.ended(ids[0]!);
    for (const [index, [, , status]] of calls.entries()) if (status === 200) await tee.entryOf(ids[index]!);

    for (const record of stack.stub.records()) {
      const own = new Set<string>([STUB_KEYS.openai, STUB_KEYS.anthropic]);
      const headers = record.headers.filter(([, value]) => !own.has(value.replace('Bearer ', '')));
      sinks.set(`headers to the provider ${record.decisionId}`, JSON.stringify(headers));
    }
    // Envoy's entries name the request line as the caller wrote it; what we add to them must not.
    const entries = tee.bytes().toString('latin1').replaceAll(`${CHAT}?note=${told.query}`, CHAT);
    sinks.set('entries to Envoy and back', entries);
    await commandsOf(sinks, ids);
    await until('the log', () => stack.tollgate().output().includes('credential_refused'));
    sinks.set('output of the process', stack.tollgate().output());
    await stack.tollgate().kill();
    sinks.set('output of the process that ended', stack.tollgate().output());
    const dir = dirname(stack.ledger);
    for (const name of await readdir(dir)) {
      if (name.startsWith('ledger')) sinks.set(name, (await readFile(join(dir, name))).toString('latin1'));
    }

    const found: string[] = [];
    for (const [sink, text] of sinks) {
      for (const [name, secret] of Object.entries(secrets)) if (holds(text, secret)) found.push(`${name} in ${sink}`);
    }
    t.diagnostic(`${Object.keys(secrets).length} canaries, ${sinks.size} sinks, ${found.length} hits`);
    assert.deepEqual(found, []);
  });

  /** All that the commands print, in each of their forms. */
  async function commandsOf(sinks: Map<string, string>, ids: readonly string[]): Promise<void> {
    const config = ['--config', stack.bundle];
    const commands: string[][] = [
      ['census', ...config],
      ['census', ...config, '--json'],
      ['check', stack.bundle],
      ['check', stack.bundle, '--json'],
      ['keys', 'list', ...config],
      ['keys', 'list', ...config, '--json'],
      ...['table', 'json', 'csv'].map((format) => ['report', ...config, '--refusals', '--format', format]),
      ...[ids[0]!, ids[3]!, ids[5]!, ids[9]!].map((id) => ['explain', id, ...config]),
      ...[ids[0]!, ids[3]!].map((id) => ['explain', id, ...config, '--json']),
      // The ledger is in use: how a process ends that cannot start.
      ['serve', ...config],
    ];
    for (const args of commands) {
      const { code, stdout, stderr } = await stack.cli(args);
      const isServe = args[0] === 'serve';
      assert.equal(code === 0, !isServe, `${args.join(' ')}: ${stdout}${stderr}`);
      sinks.set(args.join(' '), stdout + stderr);
    }
  }
});

/** In one piece, or as JSON, a URL or base64 would write it. */
function holds(text: string, secret: string): boolean {
  const base64 = Buffer.from(secret).toString('base64').replace(/=+$/, '').slice(0, -1);
  return [secret, encodeURIComponent(secret), base64].some((form) => text.includes(form));
}

/** What a caller gets from us; the body of an answer of the provider is the provider's. */
function shown(answer: Answer, status: number): string {
  return `${JSON.stringify(answer.headers)}\n${status === 200 ? '' : answer.text}`;
}

interface Told {
  readonly status: number;
  /** By Tollgate. */
  readonly isDecided: boolean;
}

function toldBy({ status, headers }: RawAnswer): Told {
  return { status, isDecided: headers.has('x-tollgate-decision') };
}
