import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Reason } from '../../src/core/reasons.ts';
import type { BodyFacts, Dialect, Target } from '../../src/dialects/dialect.ts';
import { accepted, bytes, refused } from './bodies.ts';

export type Good = readonly (readonly [row: number, text: string, expected: Partial<BodyFacts>])[];
export type Bad = readonly (readonly [row: number, text: string, reason: Reason, message: RegExp])[];

/** Each body says what is expected of it, and its model stands where it is said to. */
export function readsRows(dialect: Dialect, rows: Good, target?: Target): void {
  for (const [row, text, expected] of rows) {
    it(`reads row ${row}`, () => {
      const body = bytes(text);
      const facts = accepted(dialect, body, target);
      assert.deepEqual({ ...facts, ...expected }, facts);
      const span = facts.modelSpan;
      assert.ok(span !== undefined || target !== undefined);
      if (span !== undefined) {
        assert.equal(JSON.parse(body.toString('utf8', span.offset, span.offset + span.length)), facts.model);
      }
      assert.equal(facts.bodyBytes, body.length);
    });
  }
}

export function refusesRows(dialect: Dialect, rows: Bad, target?: Target): void {
  for (const [row, text, reason, message] of rows) {
    it(`refuses row ${row}: ${reason}`, () => {
      const fault = refused(dialect, bytes(text), target);
      assert.equal(fault.reason, reason);
      assert.match(fault.message, message);
    });
  }
}
