import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newSpanId, newTraceId, parseTraceparent } from '../../src/telemetry/trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

test('a traceparent is exactly one, or none', () => {
  const rows: readonly [text: string, sampled: boolean | undefined][] = [
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`00-${TRACE}-${SPAN}-03`, true],
    [`00-${TRACE}-${SPAN}-02`, false],
    // Versions to come may say more behind it.
    [`01-${TRACE}-${SPAN}-01`, true],
    [`01-${TRACE}-${SPAN}-01-what-comes`, true],
    [`00-${TRACE}-${SPAN}-01-what-comes`, undefined],
    [`ff-${TRACE}-${SPAN}-01`, undefined],
    [`00-${TRACE.toUpperCase()}-${SPAN}-01`, undefined],
    [`00-${'0'.repeat(32)}-${SPAN}-01`, undefined],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, undefined],
    [`00-${TRACE}-${SPAN}-1`, undefined],
    [`00-${TRACE}-${SPAN}`, undefined],
    [`00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`, undefined],
    [` 00-${TRACE}-${SPAN}-01`, undefined],
    [`00-${TRACE}-${SPAN}-01\n`, undefined],
    [`01-${TRACE}-${SPAN}-01-${'x'.repeat(10_000)}`, undefined],
    ['', undefined],
  ];
  for (const [index, [text, sampled]] of rows.entries()) {
    const expected = sampled === undefined ? undefined : { traceId: TRACE, spanId: SPAN, sampled };
    assert.deepEqual(parseTraceparent(text), expected, `row ${index}`);
  }
});

test('ids of ours are read back', () => {
  const found = parseTraceparent(`00-${newTraceId()}-${newSpanId()}-01`);
  assert.equal(found?.sampled, true);
});
