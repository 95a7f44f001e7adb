/** access.yaml's issuers: whose tokens are let in, with which keys, and whom they stand for. */
import { isAbsolute, resolve } from 'node:path';
import type { Document } from './documents.ts';
import type { Issuer, KeySetPlace } from './issuer.ts';
import type { Problems } from './problem.ts';
import { parseDuration } from './quantity.ts';
import type { AccessFile } from './schema.ts';
import type { Path, Source } from './source.ts';

export interface IssuerContext {
  /** Paths of key sets are relative to it. */
  readonly dir: string;
  readonly problems: Problems;
  /** Whether an account is declared, or may stand undeclared below its customer. */
  accountExists(path: string): boolean;
}

type Entry = NonNullable<AccessFile['issuers']>[string];

/** The issuers by the value of `iss`. Two entries that one token could mean are an error. Reads no key set. */
export function compileIssuers(
  { source, data }: Document<AccessFile>,
  context: IssuerContext,
): ReadonlyMap<string, readonly Issuer[]> {
  const found = new Map<string, Issuer[]>();
  for (const [name, entry] of Object.entries(data.issuers ?? {})) {
    const issuer = compileIssuer(name, entry, context.dir);
    const path = ['issuers', name];
    const known = found.get(issuer.issuer) ?? [];
    const same = known.find(({ audience }) => audience === issuer.audience);
    if (same !== undefined) {
      context.problems.report('issuer-ambiguous', source.at([...path, 'audience']), {
        text: `issuer \`${same.name}\` already takes the tokens of \`${issuer.issuer}\` for \`${issuer.audience}\``,
      });
    }
    lintAccount(issuer, { source, path: [...path, 'account'] }, context);
    found.set(issuer.issuer, [...known, issuer]);
  }
  for (const entries of found.values()) Object.freeze(entries);
  return found;
}

function compileIssuer(name: string, entry: Entry, dir: string): Issuer {
  return Object.freeze({
    name,
    issuer: entry.issuer,
    audience: entry.audience,
    algorithms: Object.freeze([...new Set(entry.algorithms)]),
    type: entry.type,
    ageMaxMs: parseDuration(entry.age_max) ?? 0,
    keys: placeOf(entry.jwks, dir),
    account: Object.freeze(entry.account.split('/').map(partOf)),
    actor: entry.actor?.slice(1, -1),
    kind: entry.kind,
    class: entry.class,
  });
}

function placeOf(text: string, dir: string): KeySetPlace {
  if (text.includes('://')) return Object.freeze({ kind: 'url', url: text });
  return Object.freeze({ kind: 'file', path: isAbsolute(text) ? text : resolve(dir, text) });
}

function partOf(text: string): Issuer['account'][number] {
  return Object.freeze(text.startsWith('{') ? { claim: text.slice(1, -1) } : { literal: text });
}

/** The literal head of the account is known now: an account of nobody's would refuse every token. */
function lintAccount(
  { account }: Issuer,
  { source, path }: { readonly source: Source; readonly path: Path },
  { problems, accountExists }: IssuerContext,
): void {
  const literals = account.flatMap((part) => ('literal' in part ? [part.literal] : []));
  const isWhole = literals.length === account.length;
  const head = isWhole ? literals.join('/') : literals[0]!;
  if (accountExists(head) || source.dropped.has(head)) return;
  const what = isWhole ? 'account' : 'customer';
  problems.report('credential-account', source.at(path), {
    text: `${what} \`${head}\` is not declared; the issuer's tokens are refused`,
  });
}
