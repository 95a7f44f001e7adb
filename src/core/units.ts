/** What a limit counts. `charge` and `cost` are money in the bundle's smallest unit; tokens as the provider reports them. */
export const UNITS = ['requests', 'tokens', 'input_tokens', 'output_tokens', 'charge', 'cost', 'runs'] as const;
export type Unit = (typeof UNITS)[number];

/** What may be measured and priced of one request. `reasoning` lies inside `output` and is priced with it unless it has a price. */
export const METERS = ['input', 'cache_read', 'cache_write_5m', 'cache_write_1h', 'output', 'reasoning'] as const;
export type Meter = (typeof METERS)[number];

/**
 * Token counts of one answer. All are disjoint except `reasoning`, which lies inside `output`:
 * `input` excludes caches, total input = input + cache_read + cache_write_5m + cache_write_1h.
 * Safe non-negative integers.
 */
export type Quantities = Readonly<Record<Meter, number>>;

export const NO_QUANTITIES: Quantities = Object.freeze({
  input: 0,
  cache_read: 0,
  cache_write_5m: 0,
  cache_write_1h: 0,
  output: 0,
  reasoning: 0,
});

/** Input tokens with caches. */
export function inputTokens(q: Quantities): number {
  return q.input + q.cache_read + q.cache_write_5m + q.cache_write_1h;
}

/** `tokens` of the design: input with caches + output with reasoning. */
export function totalTokens(q: Quantities): number {
  return inputTokens(q) + q.output;
}

export type Enforce = 'on' | 'observe' | 'off';
export type Awaitable<T> = T | Promise<T>;
