/** The tree of declared accounts: what each inherits, which limits bind it, which overrides reach it. */
import type { Enforce } from '../core/units.ts';
import type { LimitContext } from './limits.ts';
import { type CompiledOverride, compileOverride, type Override } from './overrides.ts';
import type { CompiledPlan } from './plans.ts';
import type { AccountPolicy, BoundLimit, Limit } from './policy.ts';
import { show } from './problem.ts';
import type { AccountEntry } from './schema.ts';
import type { Path, Source } from './source.ts';
import { isZone } from './zone.ts';

export interface AccountContext extends LimitContext {
  readonly plans: ReadonlyMap<string, CompiledPlan>;
  readonly plansFile: { readonly file: string; readonly source: Source };
  /** Limits of traffic.yaml: the customer owns their counters. */
  readonly traffic: readonly Limit[];
  readonly enforce: Enforce;
}

/** A declared account before anything is inherited. */
export interface Node {
  readonly path: string;
  readonly chain: readonly string[];
  readonly entry: AccountEntry;
  readonly source: Source;
  readonly at: Path;
  readonly own: readonly Limit[];
  readonly overrides: Map<string, CompiledOverride>;
}

/** Resolves accounts over the declared nodes. */
export class Tree {
  readonly #nodes: ReadonlyMap<string, Node>;
  readonly #context: AccountContext;
  /** Limits that one account owns, by account: its plan's, its own, and for a customer those of traffic.yaml. */
  readonly #owned = new Map<string, readonly Limit[]>();

  constructor(nodes: ReadonlyMap<string, Node>, context: AccountContext) {
    this.#nodes = nodes;
    this.#context = context;
    for (const node of nodes.values()) {
      this.#owned.set(node.path, [
        ...(context.plans.get(node.entry.plan ?? '')?.limits ?? []),
        ...node.own,
        ...(node.chain.length === 1 ? context.traffic : []),
      ]);
    }
    for (const node of nodes.values()) this.#lintNames(node);
  }

  /** Whether what it hangs on is there: a customer with a valid zone. */
  isSound({ chain }: Node): boolean {
    const zone = this.#nodes.get(chain.at(-1)!)?.entry.timezone;
    return zone !== undefined && isZone(zone);
  }

  /** Matches the overrides of `node` with the limits that it may override. */
  bindOverrides(node: Node): void {
    for (const [name, entry] of Object.entries(node.entry.overrides ?? {})) {
      const path = [...node.at, 'overrides', name];
      const zone = this.#nodes.get(node.chain.at(-1)!)!.entry.timezone!;
      const candidates = this.#candidates(node.chain).filter(({ limit }) => limit.name === name);
      if (candidates.length === 0) this.#reportUnknown(node, name, path);
      else {
        const override = compileOverride(
          entry,
          { account: node.path, candidates, zone, source: node.source, path },
          this.#context,
        );
        if (override !== undefined) node.overrides.set(name, override);
      }
    }
  }

  /** The policy of the account at the head of `chain`, inherited from what is declared along it. */
  resolve(chain: readonly string[], isDeclared: boolean): AccountPolicy {
    const path = chain[0]!;
    const nodes = chain.map((each) => this.#nodes.get(each)).filter((node) => node !== undefined);
    const customer = nodes.at(-1)!.entry;
    const zone = customer.timezone!;
    const monthStarts = customer.month_starts ?? 1;
    const plan = nodes.find(({ entry }) => this.#context.plans.has(entry.plan ?? ''))?.entry.plan;
    const limits: BoundLimit[] = [];
    for (const { limit, owner } of this.#candidates(chain)) {
      if (limit.enforce === 'off') continue;
      limits.push(Object.freeze({ limit, owner, zone, monthStarts, override: overrideOf(nodes, limit, owner) }));
    }
    return Object.freeze({
      path,
      customer: chain.at(-1)!,
      chain,
      declared: isDeclared,
      plan: plan === undefined ? undefined : this.#context.plans.get(plan)!.plan,
      zone,
      monthStarts,
      owner: nodes.find(({ entry }) => entry.owner !== undefined)?.entry.owner ?? '',
      tags: Object.freeze(Object.assign({}, ...nodes.toReversed().map(({ entry }) => entry.tags ?? {}))),
      limits: Object.freeze(limits),
    });
  }

  /** Limits along a chain with the account that owns the counter, `off` ones included. `cost` caps hold per customer. */
  #candidates(chain: readonly string[]): { limit: Limit; owner: string }[] {
    const found: { limit: Limit; owner: string }[] = [];
    for (const path of chain) {
      for (const limit of this.#owned.get(path) ?? []) {
        found.push({ limit, owner: limit.unit === 'cost' ? chain.at(-1)! : path });
      }
    }
    return found;
  }

  #hasUnknownPlan(path: string): boolean {
    const plan = this.#nodes.get(path)?.entry.plan;
    return plan !== undefined && !this.#context.plans.has(plan);
  }

  #reportUnknown(node: Node, name: string, path: Path): void {
    const names = this.#candidates(node.chain).map(({ limit }) => limit.name);
    const isPlanMissing = node.chain.some((each) => this.#hasUnknownPlan(each));
    if (isPlanMissing || node.source.dropped.has(name) || this.#context.plansFile.source.dropped.has(name)) return;
    this.#context.problems.report('name-unknown', node.source.at(path, 'key'), {
      expected: `a limit that binds \`${node.path}\``,
      found: show(name),
      misspelt: { name, known: names },
    });
  }

  /**
   * One name along a chain means one limit, so that a step, an override and an answer that name it mean the same; only the
   * same name on limits that accounts declare for themselves, or on two plans, may return further down.
   */
  #lintNames(node: Node): void {
    const above = node.chain.slice(1).map((path) => this.#nodes.get(path));
    const ofPlans = [node, ...above].flatMap((each) => this.#context.plans.get(each?.entry.plan ?? '')?.limits ?? []);
    const taken = new Map<string, Limit>();
    for (const limit of [...ofPlans, ...this.#context.traffic]) taken.set(limit.name, limit);
    for (const limit of node.own) {
      const other = taken.get(limit.name);
      if (other === undefined) continue;
      const index = node.entry.limits?.findIndex(({ name }) => name === limit.name) ?? 0;
      const text = `\`${limit.name}\` is already a limit of this account, declared in ${other.at}`;
      this.#context.problems.report('limit-duplicate', node.source.at([...node.at, 'limits', index, 'name']), { text });
    }
  }
}

/** The override nearest to the account that reaches the counter. */
function overrideOf(nodes: readonly Node[], limit: Limit, owner: string): Override | undefined {
  for (const node of nodes) {
    const override = node.overrides.get(limit.name);
    if (override?.reaches({ limit, owner })) return override.value;
  }
  return undefined;
}
