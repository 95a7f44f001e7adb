/**
 * Patterns of the bundle, without regular expressions: `*` in a model's name stands for any run of characters; `x/**`
 * for the account x and all below it. Matching is linear in the text for each pattern, whatever the text.
 */

export type Matcher = (text: string) => boolean;

/** Compiles one name pattern. Anchored at both ends; `*` is the only special character. */
export function compileGlob(pattern: string): Matcher {
  const pieces = pattern.split('*');
  if (pieces.length === 1) return (text) => text === pattern;
  const first = pieces[0]!;
  const last = pieces.at(-1)!;
  const inner = pieces.slice(1, -1).filter((piece) => piece !== '');
  const lengthMin = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return (text) => {
    if (text.length < lengthMin || !text.startsWith(first) || !text.endsWith(last)) return false;
    // The leftmost place for each piece leaves the most room for the next: no backtracking.
    const end = text.length - last.length;
    let from = first.length;
    for (const piece of inner) {
      const at = text.indexOf(piece, from);
      if (at < 0 || at + piece.length > end) return false;
      from = at + piece.length;
    }
    return true;
  };
}

/** Whether any of the patterns matches; literal ones are looked up. */
export function compileGlobs(patterns: readonly string[]): Matcher {
  const literal = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const globs = patterns.filter((pattern) => pattern.includes('*')).map(compileGlob);
  return (text) => literal.has(text) || globs.some((matches) => matches(text));
}

/** Whether an account is one of `patterns`: `acme/search` itself, `acme/**` with all below it, `**` every account. */
export function compileAccountPatterns(patterns: readonly string[]): Matcher {
  const exact = new Set<string>();
  const below = new Set<string>();
  for (const pattern of patterns) {
    if (pattern === '**') return () => true;
    if (pattern.endsWith('/**')) below.add(pattern.slice(0, -3));
    else exact.add(pattern);
  }
  return (path) => {
    if (exact.has(path) || below.has(path)) return true;
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      if (below.has(path.slice(0, at))) return true;
    }
    return false;
  };
}
