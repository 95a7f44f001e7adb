import type { Awaitable } from '../core/units.ts';
import type { Call } from '../decision/call.ts';
import type { Decision } from '../decision/decision.ts';
import { CredentialIdentifier } from '../identity/identify.ts';
import { fetchKeySet } from '../identity/key-fetch.ts';
import { TokenProver } from '../identity/token-prover.ts';
import type { Recovered } from '../ledger/ledger.ts';
import type { Base } from './base.ts';
import { Observer } from './observer.ts';
import { type FirstBundle, PolicyInForce } from './policy-in-force.ts';
import { PolicyNews } from './policy-news.ts';
import { PriceShelf } from './price-shelf.ts';

interface ObservingOptions {
  /** The observed bundle as it was found at the start; it follows its directory as the one in force does. */
  readonly first: FirstBundle;
  readonly recovered: Recovered;
  /** Prices of versions that the ledger has kept. */
  readonly prices: PriceShelf;
}

/** An observed bundle at work. */
export interface Observing {
  readonly observer: Observer;
  /** As `decide`; what it answered is decided once more, later. */
  watched<R>(decide: (call: Call, rest: R) => Awaitable<Decision>): (call: Call, rest: R) => Awaitable<Decision>;
  /** Tells the ledger what is left, in this turn: it may be closed in the next. */
  close(): Promise<void>;
}

/** Decides by an observed bundle beside the one in force, with key sets of issuers and counters of its own. */
export function startObserving(
  { settings, clock, log, secrets, ledger }: Base,
  { first, recovered, prices: kept }: ObservingOptions,
): Observing {
  const tokens = new TokenProver({ clock, fetch: fetchKeySet, onFault: () => {} });
  const prices = new PriceShelf(settings.settleWithinMs);
  if (first.policy !== undefined) {
    const { priceVersion, prices: tables } = first.policy;
    prices.enforce(priceVersion, tables, { before: undefined, nowMs: clock.nowMs() });
    void tokens.prepare(first.policy);
  }
  const policy = new PolicyInForce({
    first,
    settings: undefined,
    clock,
    news: new PolicyNews(log.child({ observed: first.dir }), { isObserved: true }),
    prices,
    keepPrices: async () => {},
    prepare: (next) => tokens.prepare(next),
  });
  const observer = new Observer({
    policy: () => policy.current(),
    identifier: new CredentialIdentifier(secrets.peppers, tokens),
    clock,
    settings,
    prices: (version) => prices.get(version) ?? kept.get(version),
    differ: (difference) => ledger.differ(difference),
  });
  observer.resume(recovered);
  policy.watch();
  return {
    observer,
    watched: (decide) => (call, rest) => {
      const decision = decide(call, rest);
      if (!(decision instanceof Promise)) {
        observer.saw(call, decision);
        return decision;
      }
      return decision.then((late) => {
        observer.saw(call, late);
        return late;
      });
    },
    close: () => {
      observer.tell(clock.nowMs());
      return policy.close();
    },
  };
}
