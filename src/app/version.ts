import { readFileSync } from 'node:fs';

/** As package.json has it, which lies two directories up both in the sources and in the build. */
export function versionText(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
