/** What instruments are told in these tests. */
import { NO_QUANTITIES } from '../../src/core/units.ts';
import { Instruments, type InstrumentsOptions } from '../../src/telemetry/instruments.ts';
import type { DecisionSeen, PolicyNames, UsageSeen } from '../../src/telemetry/seen.ts';

export const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

export const NAMES: PolicyNames = {
  version: 'aaaaaaaaaaaaaaaa',
  priceVersion: 'bbbbbbbbbbbbbbbb',
  routes: new Set(['chat', 'models']),
  models: new Set(['gpt-5', 'gpt-5-mini']),
  classes: new Set(['interactive', 'batch']),
  limits: new Set(['burst', 'budget']),
  declared: (account) => (account === 'acme' || account.startsWith('acme/') ? 'acme' : undefined),
  isKey: (credential) => credential === 'key1',
};

export const DECISION: DecisionSeen = {
  outcome: 'allow',
  reason: 'allowed',
  failed: false,
  decisionId: 'abcdefgh-01890000-0000-7000-8000-000000000001',
  route: 'chat',
  model: 'gpt-5',
  class: 'interactive',
  account: 'acme',
  credential: 'key1',
  policyVersion: NAMES.version,
  limit: undefined,
};

export const USAGE: UsageSeen = {
  decisionId: DECISION.decisionId,
  kind: 'settled',
  account: 'acme',
  credential: 'key1',
  class: 'interactive',
  run: undefined,
  route: 'chat',
  dialect: 'openai-chat',
  provider: 'openai',
  model: 'gpt-5',
  requestedModel: 'gpt-5',
  answeredModel: 'gpt-5-2025-08-07',
  answeredName: 'gpt-5',
  stream: true,
  status: 200,
  attempts: 1,
  durationMs: 900,
  decidedAtMs: 1_790_000_000_000,
  atMs: 1_790_000_001_000,
  flags: [],
  tokens: { ...NO_QUANTITIES, input: 400, cache_read: 100, output: 200, reasoning: 50 },
  charge: 0.0025,
  cost: 0.002,
  currency: 'USD',
  policyVersion: NAMES.version,
  priceVersion: NAMES.priceVersion,
};

/** Instruments that know the policy above. */
export function instrumentsOf(options: Partial<InstrumentsOptions> = {}): Instruments {
  const made = new Instruments({
    clock,
    version: '0.0.0',
    instance: 'test',
    accountsMax: 100,
    otlp: undefined,
    random: () => 0.5,
    ...options,
  });
  made.policyLoaded(NAMES, 1_790_000_000_000);
  return made;
}

/** The value of each series of a Prometheus text. */
export function seriesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}
