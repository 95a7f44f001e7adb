/** A bundle with one caller whose limits are never reached, so that every call runs all the way to an allow. */
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mintApiKey } from '../src/identity/api-key.ts';
import { digestText } from '../src/identity/digest.ts';
import { newPepperText, peppersOf } from '../src/identity/peppers.ts';

export const SAMPLE = new URL('../envoy/bundle/', import.meta.url).pathname;

/** Limits that one call must fit, from the customer down to the credential. */
export type Nested = 1 | 5;

export interface BenchBundle {
  /** Directory of the bundle. */
  readonly path: string;
  readonly ledger: string;
  /** Where `serve` listens: Unix sockets. */
  readonly check: string;
  readonly accessLog: string;
  /** Secret of the caller, which is bound to `acme/search/crawler`. */
  readonly key: string;
}

/** Writes bundle and pepper into `dir`, which is to be removed by the caller. `routes`: lines of traffic.yaml, beside `chat`. */
export async function writeBenchBundle(dir: string, nested: Nested, routes = ''): Promise<BenchBundle> {
  const path = join(dir, 'bundle');
  await mkdir(join(path, 'accounts'), { recursive: true });
  await mkdir(join(path, 'keys'));
  await cp(join(SAMPLE, 'models.yaml'), join(path, 'models.yaml'));
  const pepper = join(dir, 'pepper-v1');
  await writeFile(pepper, newPepperText(), { mode: 0o600 });
  const { id, key } = mintApiKey('prod');
  const digest = digestText(key, peppersOf(new Map([['v1', pepper]])));
  const [check, accessLog] = [join(dir, 'run', 'check'), join(dir, 'run', 'log')];
  const files: Readonly<Record<string, string>> = {
    'access.yaml': ACCESS,
    'plans.yaml': PLANS,
    'traffic.yaml': trafficText(nested, routes),
    'accounts/acme.yaml': accountsText(nested),
    'keys/bench.yaml': `${id}: {account: acme/search/crawler, digest: "${digest}", kind: service, class: interactive, environment: prod, owner: bench@acme.example, created: ${day(-1)}, expires: ${day(30)}}\n`,
    'tollgate.yaml': `listen: {check: "unix:${check}", access_log: "unix:${accessLog}", admin: off}\nledger: {path: ../ledger.db}\npeppers: {v1: ../pepper-v1}\n`,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return { path, ledger: join(dir, 'ledger.db'), check, accessLog, key };
}

function day(fromToday: number): string {
  return new Date(Date.now() + fromToday * 86_400_000).toISOString().slice(0, 10);
}

const ACCESS = `owner: security@acme.example
environment: prod
rules:
  - {name: acme, allow: {accounts: [acme/**], routes: [chat]}}
`;

const PLANS = `owner: finance@acme.example
currency: USD
plans:
  growth:
    prices: standard
    bill_estimated: true
    entitlements: [{routes: [chat], models: [gpt-5, gpt-5-mini], classes: [interactive]}]
    limits: [{name: monthly-spend, max: 4M USD per month, warn: [50%, 80%]}]
    ladder: [{at: 80% of monthly-spend, from: gpt-5, use: gpt-5-mini}]
prices:
  standard:
    gpt-5: [{from: 2026-01-01, per: 1M tokens, input: 1.25, cache_read: 0.125, output: 10}]
    gpt-5-mini: [{from: 2026-01-01, per: 1M tokens, input: 0.25, cache_read: 0.025, output: 2}]
costs:
  openai:
    gpt-5: [{from: 2026-01-01, per: 1M tokens, input: 1.00, cache_read: 0.10, output: 8}]
    gpt-5-mini: [{from: 2026-01-01, per: 1M tokens, input: 0.20, cache_read: 0.02, output: 1.60}]
`;

function trafficText(nested: Nested, routes: string): string {
  const limits = `limits:
  - {name: key-burst, max: 1M requests per second, burst: 1M, each: credential}
  - {name: in-flight, max: 1M in flight, each: customer}
`;
  return `owner: platform@acme.example
routes:
  chat: {dialect: openai-chat, match: {method: POST, path: /v1/chat/completions}, body_max: 4MiB, lasts_max: 15m, stream_usage: add}
${routes}classes: [interactive, agentic, batch]
${nested === 5 ? limits : ''}`;
}

function accountsText(nested: Nested): string {
  const [team, app] =
    nested === 5
      ? [
          '  limits: [{name: team-spend, max: 4M USD per month, warn: [80%]}]\n',
          '  limits: [{name: daily-tokens, max: 1000000M tokens per day}]\n',
        ]
      : ['', ''];
  return `acme:
  plan: growth
  owner: cto@acme.example
  timezone: Europe/Berlin
  month_starts: 1
  tags: {cost_center: "4711"}
acme/search:
  owner: search@acme.example
  tags: {cost_center: "4712"}
${team}acme/search/crawler:
  owner: crawler@acme.example
${app}`;
}
