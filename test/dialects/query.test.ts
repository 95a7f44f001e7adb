import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { queryFault } from '../../src/dialects/query.ts';

const ALT = new Map([
  ['alt', /^(?:sse|json)$/],
  ['v', /^[0-9]+$/],
]);

const ROWS: readonly (readonly [row: number, query: string, found: string | undefined])[] = [
  [1, '', undefined],
  [2, 'alt=sse', undefined],
  [3, 'alt=sse&v=1', undefined],
  [4, 'v=1&alt=json', undefined],
  [5, 'alt=media', 'alt'],
  [6, 'alt', 'alt'],
  [7, 'alt=', 'alt'],
  [8, 'alt=sse&alt=json', 'alt'],
  [9, 'alt=sse&alt=sse', 'alt'],
  [10, 'Alt=sse', 'Alt'],
  [11, '%61lt=sse', '%61lt'],
  [12, 'alt=ss%65', 'alt'],
  [13, 'alt=sse&fields=candidates', 'fields'],
  [14, '$httpMethod=GET', '$httpMethod'],
  [15, 'alt=sse&', ''],
  [16, '&', ''],
  [17, '=', ''],
  [18, 'alt=sse=json', 'alt'],
  [19, 'alt=sse&v=1&x=2', 'x'],
  [20, 'alt=sse;v=1', 'alt'],
  [21, '__proto__=1', '__proto__'],
];

describe('a query', () => {
  for (const [row, query, found] of ROWS) {
    it(`row ${row}: ${query}`, () => {
      const fault = queryFault(query, ALT);
      if (found === undefined) return assert.equal(fault, undefined);
      assert.equal(fault?.reason, 'query_invalid');
      assert.ok(fault.message.endsWith(`found \`${found}\``), fault.message);
    });
  }

  it('says nothing of a value, which may be a secret', () => {
    assert.doesNotMatch(queryFault('token=s3cret', ALT)?.message ?? '', /s3cret/);
    assert.match(queryFault('a=b', new Map())?.message ?? '', /^expected no query, found `a`$/);
  });
});
