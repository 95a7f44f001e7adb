/** accounts/*.yaml: customers and their accounts, declared or not. */
import { type AccountParts, AccountResolver, chainOf } from './account-resolver.ts';
import { type AccountContext, type Node, Tree } from './account-tree.ts';
import type { Document } from './documents.ts';
import { compileLimits } from './limits.ts';
import { refer } from './names.ts';
import type { CompiledOverride } from './overrides.ts';
import { type Problems, show } from './problem.ts';
import type { AccountEntry, AccountsFile } from './schema.ts';
import { isZone, zoneNames } from './zone.ts';

export interface CompiledAccounts {
  readonly parts: ReadonlyMap<string, AccountParts>;
  /** Whether the files know it, even if something is wrong with it. */
  exists(path: string): boolean;
}

export function compileAccounts(
  documents: readonly Document<AccountsFile>[],
  context: AccountContext,
): CompiledAccounts {
  const nodes = readNodes(documents, context);
  const parts = new Map([...nodes].map(([path, node]) => [path, node.parts]));
  const { plans, traffic: trafficLimits } = context;
  const tree = new Tree(nodes, new AccountResolver({ accounts: parts, plans, trafficLimits }), context);
  for (const node of nodes.values()) {
    lintNode(node, nodes, context);
    if (tree.isSound(node)) tree.bindOverrides(node);
  }
  const exists = (path: string) =>
    parts.has(path) || (path.includes('/') && parts.get(path.slice(0, path.indexOf('/')))?.unlisted === true);
  return { parts, exists };
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
      const limits = entry.limits === undefined ? [] : compileLimits(entry.limits, site, context);
      const overrides = new Map<string, CompiledOverride>();
      const parts = partsOf(path, entry, { limits, overrides });
      nodes.set(path, { parts, chain: chainOf(path), entry, source, at, overrides });
    }
  }
  return nodes;
}

function partsOf(
  path: string,
  { plan, owner, timezone, month_starts, unlisted, tags }: AccountEntry,
  { limits, overrides }: Pick<AccountParts, 'limits' | 'overrides'>,
): AccountParts {
  return Object.freeze({
    path,
    plan,
    owner,
    zone: timezone,
    monthStarts: month_starts ?? 1,
    unlisted: unlisted === 'allow',
    tags,
    limits,
    overrides,
  });
}

function lintNode(node: Node, nodes: ReadonlyMap<string, Node>, context: AccountContext): void {
  const { chain, entry, source, at } = node;
  const { path } = node.parts;
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

function lintCustomer({ parts: { path }, entry, source, at }: Node, problems: Problems): void {
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
