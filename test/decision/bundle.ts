/** Small bundles for what decides: real files, really loaded, of which a test gives only the parts it is about. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Enforce } from '../../src/core/units.ts';
import { loadBundle } from '../../src/policy/bundle.ts';
import type { Policy } from '../../src/policy/policy.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';

/** Entries are YAML in flow style, one each. */
export interface BundleParts {
  /** Of the whole bundle, in access.yaml. */
  readonly enforce?: Enforce;
  readonly rules?: readonly string[];
  readonly issuers?: readonly string[];
  readonly blocked?: string;
  readonly entitlements?: readonly string[];
  readonly planEnforce?: Enforce;
  readonly limits?: readonly string[];
  readonly ladder?: readonly string[];
  /** Price rows of list `standard` by model; costs of provider `openai`. */
  readonly prices?: readonly string[];
  readonly costs?: readonly string[];
  /** Below and beside the customer `acme`, which has the plan. */
  readonly accounts?: readonly string[];
  readonly routes?: readonly string[];
  /** Dialects of provider `openai`. */
  readonly dialects?: readonly string[];
  readonly trafficLimits?: readonly string[];
  /** Classes that need a run. */
  readonly runsFor?: readonly string[];
  /** Key id → account and class. */
  readonly keys?: Readonly<Record<string, { readonly account: string; readonly class?: string }>>;
}

const RULES = ['{name: all, allow: {accounts: ["**"]}}'];
const ENTITLEMENTS = [
  '{routes: [chat, strict, plain], models: [large, small, tiny], classes: [interactive, agentic, batch]}',
  '{routes: [messages], models: [claude], classes: [interactive]}',
];
/** A token of input costs 1, 0.5 and 0.1 µUSD, one of output ten times that; the provider takes half. */
const PRICES = [
  'large: [{from: 2026-01-01, per: 1M tokens, input: 1, output: 10}]',
  'small: [{from: 2026-01-01, per: 1M tokens, input: 0.5, output: 5}]',
  'tiny: [{from: 2026-01-01, per: 1M tokens, input: 0.1, output: 1}]',
  'claude: [{from: 2026-01-01, per: 1M tokens, input: 2, cache_write_5m: 3, output: 20}]',
];
const COSTS = [
  'large: [{from: 2026-01-01, per: 1M tokens, input: 0.5, output: 5}]',
  'small: [{from: 2026-01-01, per: 1M tokens, input: 0.25, output: 2.5}]',
  'tiny: [{from: 2026-01-01, per: 1M tokens, input: 0.05, output: 0.5}]',
];
const ROUTES = [
  'chat: {dialect: openai-chat, match: {method: POST, path: /v1/chat/completions}, body_max: 4KiB, lasts_max: 10m}',
  'strict: {dialect: openai-chat, match: {method: POST, path: /v1/strict}, stream_usage: require}',
  'plain: {dialect: openai-chat, match: {method: POST, path: /v1/plain}, stream_usage: estimate, ledger_full: continue}',
  'messages: {dialect: anthropic-messages, match: {method: POST, path: /v1/messages}}',
  'answers: {dialect: openai-responses, match: {method: POST, path: /v1/responses}}',
  'models: {match: {method: GET, path: /v1/models}, metered: false}',
];
const modelsWith = (dialects: readonly string[]): string => `owner: platform@acme.example
providers:
  openai: {dialects: [${dialects.join(', ')}]}
  anthropic: {dialects: [anthropic-messages]}
models:
  large: {provider: openai, labels: {region: us}, callers_say: [large-latest], provider_says: ["large-2026-*"], output_max: 1000, output_assumed: 100}
  small: {provider: openai, output_max: 1000, output_assumed: 100}
  tiny: {provider: openai, output_max: 500}
  pic-vision: {provider: openai, output_max: 1000}
  secret: {provider: openai, output_max: 1000}
  claude: {provider: anthropic, output_max: 1000}
`;
const KEYS = {
  acmekey: { account: 'acme' },
  teamkey: { account: 'acme/team' },
  batchkey: { account: 'acme', class: 'batch' },
  agentkey: { account: 'acme', class: 'agentic' },
  barekey: { account: 'bare' },
} as const;

export function bundleFiles(parts: BundleParts = {}): Record<string, string> {
  const { enforce = 'on', planEnforce = 'on', runsFor = [], blocked } = parts;
  return {
    'access.yaml': `owner: security@acme.example
environment: prod
enforce: ${enforce}
${parts.issuers === undefined ? '' : `issuers:\n${rows('  ', parts.issuers)}`}${list('rules', parts.rules ?? RULES)}${blocked === undefined ? '' : `blocked: ${blocked}\n`}`,
    'plans.yaml': `owner: finance@acme.example
currency: USD
plans:
  growth:
    prices: standard
    enforce: ${planEnforce}
${list('    entitlements', parts.entitlements ?? ENTITLEMENTS)}${list('    limits', parts.limits)}${list('    ladder', parts.ladder)}prices:
  standard:
${rows('    ', parts.prices ?? PRICES)}costs:
  openai:
${rows('    ', parts.costs ?? COSTS)}`,
    'accounts/acme.yaml': rows('', [
      'acme: {plan: growth, owner: cto@acme.example, timezone: Europe/Berlin, unlisted: allow, tags: {cost_center: "47"}}',
      'bare: {owner: it@bare.example, timezone: Europe/Berlin}',
      ...(parts.accounts ?? []),
    ]),
    'traffic.yaml': `owner: platform@acme.example
routes:
${rows('  ', parts.routes ?? ROUTES)}classes: [interactive, agentic, batch]
${runsFor.length === 0 ? '' : `runs: {required_for: [${runsFor.join(', ')}], idle: 10m}\n`}${list('limits', parts.trafficLimits)}`,
    'models.yaml': modelsWith(parts.dialects ?? ['openai-chat', 'openai-responses']),
    'keys/all.yaml': rows('', Object.entries({ ...KEYS, ...parts.keys }).map(keyEntry)),
  };
}

/** The policy of such a bundle, loaded from a directory of its own; fails with the problems that it has. */
export async function policyOf(scope: Scope, parts: BundleParts = {}): Promise<Policy> {
  const dir = await tempDir(scope);
  await writeFiles(dir, bundleFiles(parts));
  const { policy, problems } = await loadBundle(dir);
  if (policy !== undefined) return policy;
  throw new Error(problems.map(({ file, line, text }) => `${file}:${line}: ${text}`).join('\n'));
}

export async function writeFiles(dir: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), text);
  }
}

function keyEntry([id, key]: readonly [string, { readonly account: string; readonly class?: string }]): string {
  const digest = `"hmac-sha256:v1:${'A'.repeat(43)}"`;
  return `${id}: {account: ${key.account}, digest: ${digest}, kind: service, class: ${key.class ?? 'interactive'}, environment: prod, owner: t@acme.example, created: 2026-01-01, expires: 2099-12-31}`;
}

/** A list that has entries; an empty one is left out, as the grammar wants it. */
function list(key: string, entries: readonly string[] = []): string {
  const indent = ' '.repeat(key.length - key.trimStart().length + 2);
  return entries.length === 0 ? '' : `${key}:\n${entries.map((entry) => `${indent}- ${entry}\n`).join('')}`;
}

function rows(indent: string, entries: readonly string[]): string {
  return entries.map((entry) => `${indent}${entry}\n`).join('');
}
