/** accounts/*.yaml: customers and their accounts, declared or not. */
import { LRUCache } from 'lru-cache';
import { type AccountContext, type Node, Tree } from './account-tree.ts';
import type { Document } from './documents.ts';
import { isAccountPath } from './forms.ts';
import { compileLimits } from './limits.ts';
import { refer } from './names.ts';
import type { AccountPolicy } from './policy.ts';
import { type Problems, show } from './problem.ts';
import type { AccountsFile } from './schema.ts';
import { isZone, zoneNames } from './zone.ts';

/** Undeclared accounts that are remembered; the least used is forgotten and resolved again when it returns. */
const UNLISTED_MAX = 50_000;

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
