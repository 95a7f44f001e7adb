/** What the main thread and the thread that reads bundles say to each other. All of it is plain data. */
import type { AccountParts } from '../account-resolver.ts';
import type { LoadedBundle } from '../bundle.ts';
import type { ApiKey, Policy } from '../policy.ts';
import type { PolicyParts } from '../policy-parts.ts';
import type { Settings } from '../settings.ts';

/** Read the bundle of `dir`. */
export interface LoadAsk {
  readonly dir: string;
  /** The directory as it stood when it was read last: see `Before`. */
  readonly before: ReadonlyMap<string, string> | undefined;
  /** Files that have to end with `...`. */
  readonly marked: readonly string[];
  /** Hash over all files, tollgate.yaml included, of what is in force; the same again is not compiled. Undefined: compile it. */
  readonly known: string | undefined;
}

/** What was found in one directory at one moment. */
export interface JudgedBundle extends Pick<LoadedBundle, 'version' | 'problems' | 'warnings' | 'dropped' | 'unserved'> {
  readonly policy: Policy | undefined;
  readonly settings: Settings | undefined;
  /** Files that end with `...`. */
  readonly marked: readonly string[];
}

/** How the directory stood, and what it held. */
export interface Seen {
  readonly text: string;
  readonly stamps: ReadonlyMap<string, string>;
  readonly hash: string;
}

export type ToReader =
  | ({ readonly type: 'load'; readonly id: number } & LoadAsk)
  | { readonly type: 'more'; readonly id: number };

export type FromReader =
  | { readonly type: 'moving'; readonly id: number }
  | { readonly type: 'same'; readonly id: number; readonly seen: Seen }
  | {
      readonly type: 'judged';
      readonly id: number;
      readonly seen: Seen;
      readonly judged: Omit<JudgedBundle, 'policy'>;
      /** Undefined: no policy. Else the rest follows in slices, each asked for with `more`. */
      readonly head: PolicyHead | undefined;
    }
  /** Undefined: there is no more. */
  | { readonly type: 'slice'; readonly id: number; readonly slice: Slice | undefined };

/** All that does not grow with the number of customers. */
export type PolicyHead = Omit<PolicyParts, 'accounts' | 'keys'>;

/** A few accounts or keys: little enough to be taken between two decisions. */
export interface Slice {
  readonly accounts: readonly AccountParts[];
  readonly keys: readonly Omit<ApiKey, 'digest'>[];
  /** Of `keys`, one after the other: a buffer each would cost more than all the rest. */
  readonly digests: Uint8Array;
}
