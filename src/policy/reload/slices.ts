/** A policy's parts in pieces that a busy thread can take one at a time, and together again. */
import type { AccountParts } from '../account-resolver.ts';
import type { ApiKey } from '../policy.ts';
import type { PolicyParts } from '../policy-parts.ts';
import type { PolicyHead, Slice } from './wire.ts';

/** Accounts, limits and keys in a slice: well below a millisecond to take. */
const WEIGHT_MAX = 100;
const DIGEST_BYTES = 32;

export function headOf({ accounts: _accounts, keys: _keys, ...head }: PolicyParts): PolicyHead {
  return head;
}

/** At least one slice. */
export function* slicesOf({ accounts, keys }: Pick<PolicyParts, 'accounts' | 'keys'>): Generator<Slice, void> {
  let batch: AccountParts[] = [];
  let weight = 0;
  for (const account of accounts.values()) {
    batch.push(account);
    weight += 1 + account.limits.length + account.overrides.size;
    if (weight < WEIGHT_MAX) continue;
    yield { accounts: batch, keys: [], digests: new Uint8Array() };
    batch = [];
    weight = 0;
  }
  let part: ApiKey[] = [];
  for (const key of keys.values()) {
    part.push(key);
    if (part.length < WEIGHT_MAX) continue;
    yield { accounts: [], ...packed(part) };
    part = [];
  }
  yield { accounts: batch, ...packed(part) };
}

/** Takes slices in their order. */
export class SliceTaker {
  readonly #head: PolicyHead;
  readonly #accounts = new Map<string, AccountParts>();
  readonly #keys = new Map<string, ApiKey>();

  constructor(head: PolicyHead) {
    const { charge, cost } = head.prices;
    const prices = {
      ...head.prices,
      charge: bare(charge, (list) => bare(list)),
      cost: bare(cost, (list) => bare(list)),
    };
    this.#head = frozen({ ...head, prices });
  }

  take({ accounts, keys, digests }: Slice): void {
    for (const account of accounts) this.#accounts.set(account.path, frozen(account));
    for (const [index, key] of keys.entries()) {
      const digest = digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
      this.#keys.set(key.id, Object.freeze({ ...key, digest }));
    }
  }

  /** All of it; the taker must not be used again. */
  parts(): PolicyParts {
    return { ...this.#head, accounts: this.#accounts, keys: this.#keys };
  }
}

function packed(keys: readonly ApiKey[]): Pick<Slice, 'keys' | 'digests'> {
  const digests = new Uint8Array(keys.length * DIGEST_BYTES);
  for (const [index, { digest }] of keys.entries()) digests.set(digest, index * DIGEST_BYTES);
  return { keys: keys.map(({ digest: _digest, ...key }) => key), digests };
}

/** A copy from another thread has a prototype again, whose names a model must not find. */
function bare<T>(table: Readonly<Record<string, T>>, each: (value: T) => T = (value) => value): Record<string, T> {
  const copy: Record<string, T> = Object.create(null);
  for (const [name, value] of Object.entries(table)) copy[name] = each(value);
  return copy;
}

/** A copy from another thread has lost its freezing. */
function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  if (value instanceof Map) for (const each of value.values()) frozen(each);
  else if (!(value instanceof Set)) {
    Object.freeze(value);
    for (const each of Object.values(value)) frozen(each);
  }
  return value;
}
