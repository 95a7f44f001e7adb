import { createHash } from 'node:crypto';

/** A Lua script that the server knows by its digest. */
export interface Script {
  /** For people: metrics and errors. */
  readonly name: string;
  readonly lua: string;
  /** SHA-1 of the text, as EVALSHA wants it. */
  readonly sha: string;
}

/** Comments and indents are for readers here: the server gets the text without them. */
export function scriptOf(name: string, source: string): Script {
  const lua = source
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('--'))
    .join('\n');
  return { name, lua, sha: createHash('sha1').update(lua).digest('hex') };
}
