/** Which words may be labels: those of the policy in force and of closed sets, and the accounts and keys that came first. */
import { ATTRIBUTE, type MetricSpec, NONE, OTHER } from './names.ts';
import type { PolicyNames } from './seen.ts';

const NOTHING: PolicyNames = {
  version: NONE,
  priceVersion: NONE,
  routes: new Set(),
  models: new Set(),
  classes: new Set(),
  limits: new Set(),
  declared: () => undefined,
  isKey: () => false,
};

/** Gives a label of its own to the first `max` values that ask; `other` to the rest. */
class FirstCome {
  readonly #labels = new Set<string>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  has(value: string): boolean {
    return this.#labels.has(value);
  }

  label(value: string): string {
    if (this.#labels.has(value)) return value;
    if (this.#labels.size >= this.#max) return OTHER;
    this.#labels.add(value);
    return value;
  }
}

/** Nothing that a client can make up is ever a label. */
export class Words {
  names: PolicyNames = NOTHING;
  readonly #accounts: FirstCome;
  readonly #credentials: FirstCome;

  constructor({ accountsMax }: { readonly accountsMax: number }) {
    this.#accounts = new FirstCome(accountsMax);
    this.#credentials = new FirstCome(accountsMax);
  }

  /** The account, or the nearest declared one above it, if it is among the first that called; else `other`. */
  account(path: string): string {
    if (this.#accounts.has(path)) return path;
    const declared = this.names.declared(path);
    return declared === undefined ? OTHER : this.#accounts.label(declared);
  }

  /** The id of an API key, if it is among the first that called; else `other`. */
  credential(id: string): string {
    if (this.#credentials.has(id)) return id;
    return this.names.isKey(id) ? this.#credentials.label(id) : OTHER;
  }

  /** What stands for `value` of a label; asked once for each new set of labels. */
  label(spec: MetricSpec, index: number, value: string): string {
    const known = this.#knownTo(spec.labels[index]);
    return known === undefined || value === NONE || known.has(value) ? value : OTHER;
  }

  /** Undefined: the code gives it, or it has been asked for here. */
  #knownTo(attribute: string | undefined): ReadonlySet<string> | undefined {
    switch (attribute) {
      case ATTRIBUTE.route:
        return this.names.routes;
      case ATTRIBUTE.requestModel:
      case ATTRIBUTE.responseModel:
        return this.names.models;
      case ATTRIBUTE.class:
        return this.names.classes;
      case ATTRIBUTE.limit:
        return this.names.limits;
      default:
        return undefined;
    }
  }
}
