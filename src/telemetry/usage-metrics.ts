/** What calls used, and what that is worth. */
import { inputTokens, METERS, totalTokens } from '../core/units.ts';
import { errorTypeOf, operationOf } from './log-records.ts';
import type { Metrics } from './metrics.ts';
import { FLAGS, NONE } from './names.ts';
import type { UsageSeen } from './seen.ts';
import type { Words } from './vocabulary.ts';

export class UsageMetrics {
  readonly #words: Words;
  readonly #of;

  constructor(metrics: Metrics, { words }: { readonly words: Words }) {
    this.#words = words;
    this.#of = {
      ends: metrics.counter('ends'),
      attempts: metrics.counter('attempts'),
      tokens: metrics.counter('tokens'),
      charge: metrics.counter('charge'),
      cost: metrics.counter('cost'),
      flags: metrics.counter('flags'),
      tokenUsage: metrics.histogram('tokenUsage'),
      callDuration: metrics.histogram('callDuration'),
      accountTokens: metrics.counter('accountTokens'),
      accountCharge: metrics.counter('accountCharge'),
      accountCost: metrics.counter('accountCost'),
      credentialCalls: metrics.counter('credentialCalls'),
      credentialCharge: metrics.counter('credentialCharge'),
    };
    // At 0 from the start, so that the first one is seen as a rise.
    for (const flag of FLAGS) this.#of.flags.at(flag);
  }

  ended(usage: UsageSeen): void {
    const { route, currency, charge, cost, tokens, attempts } = usage;
    const model = usage.model ?? NONE;
    const of = this.#of;
    of.ends.at(usage.kind, route, model).add(1);
    if (attempts > 0) of.attempts.at(route, model).add(attempts);
    for (const flag of usage.flags) of.flags.at(flag).add(1);
    for (const meter of METERS) if (tokens[meter] > 0) of.tokens.at(meter, route, model).add(tokens[meter]);
    if (charge > 0) of.charge.at(currency, route, model).add(charge);
    if (cost > 0) of.cost.at(currency, route, model).add(cost);
    this.#ofWhom(usage);
    if (usage.model !== undefined) this.#genAi(usage);
  }

  #ofWhom({ account, credential, tokens, charge, cost, currency }: UsageSeen): void {
    const of = this.#of;
    const who = this.#words.account(account);
    of.accountTokens.at(who).add(totalTokens(tokens));
    if (charge > 0) of.accountCharge.at(currency, who).add(charge);
    if (cost > 0) of.accountCost.at(currency, who).add(cost);
    const key = this.#words.credential(credential);
    of.credentialCalls.at(key).add(1);
    if (charge > 0) of.credentialCharge.at(currency, key).add(charge);
  }

  /** Of calls that reached the provider. Tokens that nobody reported are not measured, so they are not here. */
  #genAi(usage: UsageSeen): void {
    if (usage.attempts === 0) return;
    const operation = operationOf(usage.dialect) ?? NONE;
    const labels = [operation, usage.provider ?? NONE, usage.model ?? NONE, usage.answeredName ?? NONE] as const;
    if (usage.kind === 'settled') {
      this.#of.tokenUsage.at(...labels, 'input').record(inputTokens(usage.tokens));
      this.#of.tokenUsage.at(...labels, 'output').record(usage.tokens.output);
    }
    if (usage.durationMs === undefined) return;
    this.#of.callDuration.at(...labels, errorTypeOf(usage) ?? NONE).record(usage.durationMs / 1000);
  }
}
