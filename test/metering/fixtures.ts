import { mintDecisionId } from '../../src/core/ids.ts';
import type { HeldSpend, Hold } from '../../src/ledger/hold.ts';
import type { LogEntry } from '../../src/metering/entry.ts';
import type { Model, ModelCatalog, PriceTables } from '../../src/policy/policy.ts';
import { SERVED } from '../support/hold.ts';

export const LEDGER_ID = 'abcdefgh';
export const DECIDED_MS = Date.UTC(2026, 10, 24, 12);

/** One unit of money a token, so that amounts read like tokens: input 2, cache read 1, output 10; twice that above 1000. */
export const TABLES: PriceTables = {
  currency: 'USD',
  decimals: 9,
  charge: {
    standard: {
      'gpt-5': [
        { fromMs: 0, inputOver: 0, prices: { input: 2_000_000, cache_read: 1_000_000, output: 10_000_000 } },
        { fromMs: 0, inputOver: 1000, prices: { input: 4_000_000, cache_read: 2_000_000, output: 20_000_000 } },
      ],
      'gpt-5-mini': [{ fromMs: 0, inputOver: 0, prices: { input: 1_000_000, output: 3_000_000 } }],
    },
  },
  cost: {
    openai: {
      'gpt-5': [{ fromMs: 0, inputOver: 0, prices: { input: 1_000_000, output: 5_000_000 } }],
      'gpt-5-mini': [{ fromMs: 0, inputOver: 0, prices: { input: 500_000, output: 1_500_000 } }],
    },
  },
};

function model(name: string): Model {
  return {
    name,
    provider: 'openai',
    labels: {},
    outputMax: 1000,
    outputAssumed: 100,
    dialects: new Set(['openai-chat']),
  };
}

const BY_NAME: ReadonlyMap<string, Model> = new Map(
  ['gpt-5', 'gpt-5-mini', 'gpt-5-free'].map((name) => [name, model(name)]),
);

/** Answers by the model's name, or its name and a date. */
export const MODELS: ModelCatalog = {
  byName: BY_NAME,
  asked: (name) => BY_NAME.get(name),
  answered: (name) => BY_NAME.get(name.replace(/-2026-.*$/, '')),
};

/** A hold of 100 tokens in and up to 200 out, decided at DECIDED_MS. Each has an id of its own. */
export function holdOf(some: Partial<Hold> = {}): Hold {
  return {
    ...SERVED,
    decisionId: mintDecisionId(LEDGER_ID, some.decidedAtMs ?? DECIDED_MS),
    decidedAtMs: DECIDED_MS,
    expiresAtMs: DECIDED_MS + 120_000,
    estimate: { inputTokens: 100, outputTokens: 200, charge: 2202, cost: 1102, outputMax: 200 },
    ...some,
  };
}

/** A window's spend of one unit. */
export function spendOf(some: Partial<HeldSpend> & Pick<HeldSpend, 'unit' | 'reserved'>): HeldSpend {
  return {
    counter: `acme|${some.limit ?? some.unit}`,
    limit: some.unit,
    kind: 'window',
    onExpiry: 'keep',
    ...((some.kind ?? 'window') === 'window' ? { end: DECIDED_MS + 3_600_000 } : {}),
    ...some,
  };
}

/** The last entry of a request that was answered 200 with a JSON body of 330 bytes and without usage. */
export function entryOf(some: Partial<LogEntry> = {}): LogEntry {
  return {
    kind: 'end',
    decision: undefined,
    requestId: undefined,
    usage: new Map(),
    status: 200,
    details: 'via_upstream',
    attempts: 1,
    upstreamBytes: 413,
    firstByte: true,
    responseBytes: 330,
    responseContentType: 'application/json',
    durationMs: 25,
    ...some,
  };
}

/** What a JSON answer of an OpenAI-like API says of itself. */
export function usageOf(input: number, output: number, model = 'gpt-5-2026-08-07'): LogEntry['usage'] {
  return new Map<string, string | number>([
    ['model', model],
    ['prompt_tokens', input],
    ['completion_tokens', output],
  ]);
}
