/** What a bundle may ask for and this version does not serve yet. Removed line by line as it is built. */
import type { Documents } from './documents.ts';

/** One sentence for each thing that `documents` asks for in vain; `serve` warns of them. */
export function unserved({ access }: Pick<Documents, 'access'>): readonly string[] {
  const found: string[] = [];
  for (const [index, { id }] of (access.data.certificates ?? []).entries()) {
    found.push(
      `${access.source.ref(['certificates', index])}: client certificate \`${id}\` is not served yet; its callers are answered 401`,
    );
  }
  return found;
}
