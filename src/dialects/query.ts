/** Queries of APIs that steer by them. */
import type { BodyFault } from './dialect.ts';
import { shown } from './faults.ts';

/**
 * What is wrong with a query that may only hold these names, each once, with such a value as it stands; undefined: nothing.
 * An API that lets a query choose what is answered, or with which method, would answer another call than the decided one.
 */
export function queryFault(query: string, allowed: ReadonlyMap<string, RegExp>): BodyFault | undefined {
  if (query === '') return undefined;
  const seen = new Set<string>();
  for (const pair of query.split('&', allowed.size + 1)) {
    const [name = '', value = ''] = pair.split(/=(.*)/s, 2);
    if (seen.has(name) || allowed.get(name)?.test(value) !== true) return faultOf(allowed, pair);
    seen.add(name);
  }
  return undefined;
}

function faultOf(allowed: ReadonlyMap<string, RegExp>, pair: string): BodyFault {
  const names = [...allowed.keys()].map((name) => `\`${name}\``).join(', ');
  const expected = names === '' ? 'expected no query' : `expected no query but ${names}, each once and well-formed`;
  // The value may be a secret.
  return { reason: 'query_invalid', message: `${expected}, found ${shown(pair.split('=', 1)[0]!)}` };
}
