/** keys/*.yaml: API keys, as digests only. */
import { DAY_MS, parseDay } from '../core/day.ts';
import { parseDigest } from './digest.ts';
import type { Document } from './documents.ts';
import { type Known, refer } from './names.ts';
import type { ApiKey } from './policy.ts';
import { type Problems, show } from './problem.ts';
import type { KeysFile } from './schema.ts';
import type { Source } from './source.ts';

export interface KeyContext {
  /** Of this deployment. */
  readonly environment: string;
  /** Longest that a key may live; undefined: as long as it says. */
  readonly ageMaxMs: number | undefined;
  readonly classes: Known;
  readonly problems: Problems;
  /** Whether an account is declared, or may stand undeclared below its customer. */
  accountExists(path: string): boolean;
}

export function compileKeys(
  documents: readonly Document<KeysFile>[],
  context: KeyContext,
): ReadonlyMap<string, ApiKey> {
  const keys = new Map<string, ApiKey>();
  const places = new Map<string, string>();
  for (const { source, data } of documents) {
    for (const [id, entry] of Object.entries(data)) {
      const first = places.get(id);
      if (first !== undefined) {
        context.problems.report('name-duplicate', source.at([id], 'key'), {
          text: `key \`${id}\` is already declared in ${first}`,
        });
        continue;
      }
      places.set(id, source.ref([id]));
      keys.set(id, compileKey(id, entry, source, context));
    }
  }
  return keys;
}

function compileKey(id: string, entry: KeysFile[string], source: Source, context: KeyContext): ApiKey {
  const { environment, ageMaxMs, classes, problems } = context;
  const createdMs = parseDay(entry.created) ?? 0;
  const lastMs = parseDay(entry.expires) ?? 0;
  if (lastMs < createdMs) {
    problems.report('credential-lifetime', source.at([id, 'expires']), {
      expected: `a day not before \`${entry.created}\``,
      found: show(entry.expires),
    });
  }
  // Whoever shortens `age_max` must not be blocked by keys that are older: they end when it says.
  const oldMs = createdMs + (ageMaxMs ?? Number.POSITIVE_INFINITY);
  const endMs = lastMs + DAY_MS;
  if (endMs > oldMs) {
    problems.report('credential-age', source.at([id, 'expires']), {
      expected: `a day within \`age_max\` (${ageMaxMs! / DAY_MS}d) of \`${entry.created}\``,
      found: `${show(entry.expires)}; the key ends earlier`,
    });
  }
  if (entry.environment !== environment) {
    problems.report('credential-environment', source.at([id, 'environment']), {
      expected: `\`${environment}\`, the environment of this deployment`,
      found: `${show(entry.environment)}; the key is refused here`,
    });
  }
  if (!context.accountExists(entry.account) && !source.dropped.has(entry.account)) {
    problems.report('credential-account', source.at([id, 'account']), {
      text: `account \`${entry.account}\` is not declared; the key is refused`,
    });
  }
  refer(entry.class, classes, { source, path: [id, 'class'], owned: false }, problems);
  return Object.freeze({
    id,
    account: entry.account,
    ...parseDigest(entry.digest)!,
    kind: entry.kind,
    class: entry.class,
    environment: entry.environment,
    owner: entry.owner,
    createdMs,
    expiresMs: Math.min(endMs, oldMs),
    revoked: entry.revoked ?? false,
    shared: entry.shared ?? false,
  });
}
