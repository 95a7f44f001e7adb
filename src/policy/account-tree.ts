/** The tree of declared accounts: which overrides reach which limit, and whether names mean one limit. */
import type { Enforce } from '../core/units.ts';
import type { AccountParts, AccountResolver } from './account-resolver.ts';
import type { LimitContext } from './limits.ts';
import { type CompiledOverride, compileOverride } from './overrides.ts';
import type { CompiledPlan } from './plans.ts';
import type { Limit } from './policy.ts';
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

/** A declared account as its file says it, with what was compiled of it. */
export interface Node {
  readonly parts: AccountParts;
  readonly chain: readonly string[];
  readonly entry: AccountEntry;
  readonly source: Source;
  readonly at: Path;
  /** Of `parts`, to be filled. */
  readonly overrides: Map<string, CompiledOverride>;
}

/** Judges what declared accounts say of each other's limits. */
export class Tree {
  readonly #nodes: ReadonlyMap<string, Node>;
  readonly #context: AccountContext;
  readonly #resolver: AccountResolver;

  constructor(nodes: ReadonlyMap<string, Node>, resolver: AccountResolver, context: AccountContext) {
    this.#nodes = nodes;
    this.#context = context;
    this.#resolver = resolver;
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
      const candidates = this.#resolver.candidates(node.chain).filter(({ limit }) => limit.name === name);
      if (candidates.length === 0) this.#reportUnknown(node, name, path);
      else {
        const override = compileOverride(
          entry,
          { account: node.parts.path, candidates, zone, source: node.source, path },
          this.#context,
        );
        if (override !== undefined) node.overrides.set(name, override);
      }
    }
  }

  #hasUnknownPlan(path: string): boolean {
    const plan = this.#nodes.get(path)?.entry.plan;
    return plan !== undefined && !this.#context.plans.has(plan);
  }

  #reportUnknown(node: Node, name: string, path: Path): void {
    const names = this.#resolver.candidates(node.chain).map(({ limit }) => limit.name);
    const isPlanMissing = node.chain.some((each) => this.#hasUnknownPlan(each));
    if (isPlanMissing || node.source.dropped.has(name) || this.#context.plansFile.source.dropped.has(name)) return;
    this.#context.problems.report('name-unknown', node.source.at(path, 'key'), {
      expected: `a limit that binds \`${node.parts.path}\``,
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
    for (const limit of node.parts.limits) {
      const other = taken.get(limit.name);
      if (other === undefined) continue;
      const index = node.entry.limits?.findIndex(({ name }) => name === limit.name) ?? 0;
      const text = `\`${limit.name}\` is already a limit of this account, declared in ${other.at}`;
      this.#context.problems.report('limit-duplicate', node.source.at([...node.at, 'limits', index, 'name']), { text });
    }
  }
}
