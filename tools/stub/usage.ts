import type { StubUsage } from './behaviour.ts';

/** Output tokens where the request gives no smaller cap. */
const OUTPUT_DEFAULT = 40;

/** What an answer cost, each count disjoint from the others but reasoning, which lies inside output. */
export type Tokens = Required<StubUsage>;

/** Deterministic usage: input = ⌈body bytes / 4⌉, output = min(cap, 40) per choice; `overrides` win field by field. */
export function tokensOf(
  request: { readonly bodyBytes: number; readonly cap: number | undefined; readonly choices: number },
  overrides: StubUsage,
): Tokens {
  return {
    input: Math.ceil(request.bodyBytes / 4),
    cacheRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    output: Math.min(request.cap ?? OUTPUT_DEFAULT, OUTPUT_DEFAULT) * request.choices,
    reasoning: 0,
    ...overrides,
  };
}
