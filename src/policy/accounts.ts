/** The tree of accounts: what each inherits, and which limits bind it. */
import { LRUCache } from 'lru-cache';
import type { Enforce } from '../core/units.ts';
import type { Document } from './documents.ts';
import { isAccountPath } from './forms.ts';
import { compileLimits, type LimitContext } from './limits.ts';
import { refer } from './names.ts';
import { type CompiledOverride, compileOverride, type Override } from './overrides.ts';
import type { CompiledPlan } from './plans.ts';
import type { AccountPolicy, BoundLimit, Limit } from './policy.ts';
import { type Problems, show } from './problem.ts';
import type { AccountEntry, AccountsFile } from './schema.ts';
import type { Path, Source } from './source.ts';
import { isZone, zoneNames } from './zone.ts';

/** Undeclared accounts that are remembered; the least used is forgotten and resolved again when it returns. */
const UNLISTED_MAX = 50_000;

export interface AccountContext extends LimitContext {
  readonly plans: ReadonlyMap<string, CompiledPlan>;
  readonly plansFile: { readonly file: string; readonly source: Source };
  /** Limits of traffic.yaml: the customer owns their counters. */
  readonly traffic: readonly Limit[];
  readonly enforce: Enforce;
}

/** A declared account before anything is inherited. */
interface Node {
  readonly path: string;
  readonly chain: readonly string[];
  readonly entry: AccountEntry;
  readonly source: Source;
  readonly at: Path;
  readonly own: readonly Limit[];
  readonly overrides: Map<string, CompiledOverride>;
}

export interface CompiledAccounts {
  readonly declared: ReadonlyMap<string, AccountPolicy>;
  account(path: string): AccountPolicy | undefined;
  /** Whether the files know it, even if something is wrong with it. */
  exists(path: string): boolean;
}

export function compileAccounts(
  documents: readonly Document<AccountsFile>[],
  context: AccountContext,
): CompiledAccounts {
  const nodes = readNodes(documents, context);
  const tree = new Tree(nodes, context);
  for (const node of nodes.values()) {
    lintNode(node, nodes, context);
    if (tree.isSound(node)) tree.bindOverrides(node);
  }
  const declared = new Map<string, AccountPolicy>();
  for (const node of nodes.values()) {
    if (tree.isSound(node)) declared.set(node.path, tree.resolve(node.chain, true));
  }
  const unlisted = new LRUCache<string, AccountPolicy>({ max: UNLISTED_MAX });
  const account = (path: string): AccountPolicy | undefined => {
    const known = declared.get(path) ?? unlisted.get(path);
    if (known !== undefined) return known;
    const slash = path.indexOf('/');
    if (slash < 0 || !isAccountPath(path)) return undefined;
    const customer = path.slice(0, slash);
    if (!declared.has(customer) || nodes.get(customer)?.entry.unlisted !== 'allow') return undefined;
    const found = tree.resolve(chainOf(path), false);
    unlisted.set(path, found);
    return found;
  };
  const exists = (path: string) =>
    nodes.has(path) || (path.includes('/') && nodes.get(path.slice(0, path.indexOf('/')))?.entry.unlisted === 'allow');
  return { declared, account, exists };
}

/** From the account up to its customer. */
export function chainOf(path: string): readonly string[] {
  const chain = [path];
  for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) chain.push(path.slice(0, at));
  return Object.freeze(chain);
}

function readNodes(documents: readonly Document<AccountsFile>[], context: AccountContext): Map<string, Node> {
  const nodes = new Map<string, Node>();
  for (const { source, data } of documents) {
    for (const [path, entry] of Object.entries(data)) {
      const at = [path];
      const other = nodes.get(path);
      if (other !== undefined) {
        const text = `account \`${path}\` is already declared in ${other.source.ref(other.at)}`;
        context.problems.report('name-duplicate', source.at(at, 'key'), { text });
        continue;
      }
      const site = { source, path: [path, 'limits'], within: [context.enforce], traffic: false };
      const own = entry.limits === undefined ? [] : compileLimits(entry.limits, site, context);
      nodes.set(path, { path, chain: chainOf(path), entry, source, at, own, overrides: new Map() });
    }
  }
  return nodes;
}

function lintNode(node: Node, nodes: ReadonlyMap<string, Node>, context: AccountContext): void {
  const { path, chain, entry, source, at } = node;
  const { problems, plans, plansFile } = context;
  if (chain.length === 1) lintCustomer(node, problems);
  else {
    const customer = chain.at(-1)!;
    if (!nodes.has(customer) && !source.dropped.has(customer)) {
      problems.report('account-orphan', source.at(at, 'key'), {
        text: `customer \`${customer}\` of account \`${path}\` is not declared`,
        misspelt: { name: customer, known: customersOf(nodes) },
      });
    }
    for (const key of ['timezone', 'month_starts', 'unlisted'] as const) {
      if (entry[key] === undefined) continue;
      problems.report('account-key', source.at([...at, key], 'key'), {
        text: `only a customer says \`${key}\`; it holds for all below it`,
      });
    }
  }
  if (entry.plan !== undefined) {
    const known = { what: 'a plan', names: plans, broken: plansFile.source.dropped, file: plansFile.file };
    refer(entry.plan, known, { source, path: [...at, 'plan'], owned: true }, problems);
  }
}

function* customersOf(nodes: ReadonlyMap<string, Node>): Iterable<string> {
  for (const path of nodes.keys()) if (!path.includes('/')) yield path;
}

function lintCustomer({ path, entry, source, at }: Node, problems: Problems): void {
  if (entry.owner === undefined) {
    problems.report('owner-missing', source.at(at, 'key'), {
      text: `missing key \`owner\`: a customer has an owner like \`team@acme.example\``,
    });
  }
  if (entry.timezone === undefined) {
    problems.report('timezone-missing', source.at(at, 'key'), {
      text: `missing key \`timezone\`: customer \`${path}\` has a time zone like \`Europe/Berlin\``,
    });
  } else if (!isZone(entry.timezone)) {
    problems.report('value-wrong', source.at([...at, 'timezone']), {
      expected: 'a time zone like `Europe/Berlin`',
      found: show(entry.timezone),
      misspelt: { name: entry.timezone, known: zoneNames() },
    });
  }
}

/** Resolves accounts over the declared nodes. */
class Tree {
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
