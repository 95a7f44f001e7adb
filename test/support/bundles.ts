/** Bundle files of end-to-end tests: one customer, few limits, so that a test meets only the limit it is about. */

/**
 * plans.yaml with a plan `growth`: all models of the sample, and these limits and ladder rows (flow style, one each); and
 * with other plans beside it.
 */
export function plansWith({
  limits = [],
  ladder = [],
  plans = [],
}: {
  limits?: readonly string[];
  ladder?: readonly string[];
  plans?: readonly string[];
} = {}): string {
  return `owner: finance@acme.example
currency: USD
plans:
  growth:
    prices: standard
    bill_estimated: true
    entitlements:
      - {routes: [chat], models: [gpt-5, gpt-5-mini], classes: [interactive, agentic, batch]}
      - {routes: [messages], models: [claude-sonnet], classes: [interactive, agentic]}
${list('    limits', limits)}${list('    ladder', ladder)}${plans.map((plan) => `  ${plan}\n`).join('')}prices:
  standard:
    gpt-5: [{from: 2026-01-01, per: 1M tokens, input: 1.25, cache_read: 0.125, output: 10}]
    gpt-5-mini: [{from: 2026-01-01, per: 1M tokens, input: 0.25, cache_read: 0.025, output: 2}]
    claude-sonnet: [{from: 2026-01-01, per: 1M tokens, input: 3, cache_read: 0.30, cache_write_5m: 3.75, cache_write_1h: 6, output: 15}]
costs:
  openai:
    gpt-5: [{from: 2026-01-01, per: 1M tokens, input: 1.00, cache_read: 0.10, output: 8}]
    gpt-5-mini: [{from: 2026-01-01, per: 1M tokens, input: 0.20, cache_read: 0.02, output: 1.60}]
  anthropic:
    claude-sonnet: [{from: 2026-01-01, per: 1M tokens, input: 2.40, cache_read: 0.24, cache_write_5m: 3, cache_write_1h: 4.80, output: 12}]
`;
}

/** traffic.yaml with the sample's routes, these limits, and calls that may last `lastsMax`. */
export function trafficWith({
  limits = [],
  lastsMax = '15m',
}: {
  limits?: readonly string[];
  lastsMax?: string;
} = {}): string {
  return `owner: platform@acme.example
routes:
  chat: {dialect: openai-chat, match: {method: POST, path: /v1/chat/completions}, body_max: 4MiB, lasts_max: ${lastsMax}, stream_usage: add}
  messages: {dialect: anthropic-messages, match: {method: POST, path: /v1/messages}, body_max: 4MiB, lasts_max: ${lastsMax}}
  models: {match: {method: GET, path: /v1/models}, metered: false}
classes: [interactive, agentic, batch]
runs: {required_for: [agentic], idle: 1h}
${list('limits', limits)}`;
}

/** The customer `acme` and undeclared accounts below it; nobody else. */
export const ONE_CUSTOMER = `acme:
  plan: growth
  owner: cto@acme.example
  timezone: Europe/Berlin
  unlisted: allow
`;

/** A list that has entries; an empty one is left out, as the grammar wants it. */
function list(key: string, entries: readonly string[]): string {
  return entries.length === 0 ? '' : `${key}: [${entries.join(', ')}]\n`;
}
