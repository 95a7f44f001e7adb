/** What a bundle may ask for and this version does not serve yet. Removed line by line as it is built. */
import type { Documents } from './documents.ts';
import type { DialectName } from './policy.ts';

const SERVED: ReadonlySet<DialectName> = new Set([
  'openai-chat',
  'openai-responses',
  'openai-embeddings',
  'openai-completions',
  'anthropic-messages',
]);

/** One sentence for each thing that `documents` asks for in vain; `serve` warns of them. */
export function unserved({ access, traffic }: Pick<Documents, 'access' | 'traffic'>): readonly string[] {
  const found: string[] = [];
  for (const [index, { id }] of (access.data.certificates ?? []).entries()) {
    found.push(
      `${access.source.ref(['certificates', index])}: client certificate \`${id}\` is not served yet; its callers are answered 401`,
    );
  }
  for (const [name, { dialect }] of Object.entries(traffic.data.routes)) {
    if (dialect === undefined || SERVED.has(dialect)) continue;
    found.push(
      `${traffic.source.ref(['routes', name])}: route \`${name}\` speaks \`${dialect}\`, which is not served yet; it is answered 404`,
    );
  }
  return found;
}
