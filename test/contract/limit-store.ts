/** The contract of the limit store as a suite over any store. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type ContractOptions, type OpenStore, SETTLE_WITHIN_MS, stateOf, T0 } from './limit-acts.ts';
import { faults, stories } from './limit-stories.ts';

/** Runs the contract over a store. `isBounded`: false where the bounds are those of a server, not of the store. */
export function limitStoreContract(name: string, open: OpenStore, { isBounded = true } = {}): void {
  const defaults: ContractOptions = { settleWithinMs: SETTLE_WITHIN_MS, countersMax: 1000, closedMax: 1000 };
  describe(`limit store: ${name}`, () => {
    for (const story of stories) {
      if (story.isOfBounds === true && !isBounded) continue;
      it(story.name, async () => {
        const opened = await open({ ...defaults, ...story.options });
        try {
          for (const [index, [at, act, answer, after]] of story.rows.entries()) {
            opened.setNow(T0 + at);
            const said = await act(opened, T0 + at);
            const states: string[] = [];
            for (const each of story.lines) states.push(await stateOf(opened, each, T0 + at));
            assert.deepEqual([said, states.join(' ')], [answer, after], `row ${index + 1}`);
          }
        } finally {
          await opened.close?.();
        }
      });
    }

    for (const [index, [what, act, message]] of faults.entries()) {
      it(`fault ${index + 1}: ${what}`, async () => {
        const opened = await open(defaults);
        try {
          opened.setNow(T0);
          await assert.rejects(
            async () => act(opened, T0),
            (error: Error) => {
              assert.ok(error instanceof TypeError);
              assert.match(error.message, message);
              return true;
            },
          );
        } finally {
          await opened.close?.();
        }
      });
    }
  });
}
