export const CHECKS = ['schema', 'rules', 'bundle', 'envoy', 'derived'] as const;
export type Check = (typeof CHECKS)[number];

/** One thing that is wrong with the manifests. */
export interface Fault {
  readonly check: Check;
  /** The rule's id, or the schema's name; `-` where there is one only. */
  readonly rule: string;
  /** The object, and the container where there is one: `StatefulSet tollgate/tollgate, envoy`. */
  readonly at: string;
  readonly text: string;
}
