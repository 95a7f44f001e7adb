import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { keyPart, partText, RedisKeys } from '../../src/limits/redis-keys.ts';
import { questionOf } from '../../src/limits/redis-question.ts';
import type { Ask, Spend } from '../../src/limits/store.ts';

/** CRC16/XMODEM of what stands between the first braces, as the cluster specification has it. */
function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  const tag = close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
    crc &= 0xffff;
  }
  return crc % 16_384;
}

const aText = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('', '{', '}', '{}', '}{', 'a}b{c', '~', '~007b', ' ', ';', ':', '\n'),
);

describe('keys of the limit store', () => {
  it('R16: are in one slot for every question, whatever customer, counters, run and id are called', () => {
    assert.equal(slotOf('{user1000}.following'), 3443);
    fc.assert(
      fc.property(
        aText,
        fc.uniqueArray(aText, { minLength: 1, maxLength: 5 }),
        aText,
        aText,
        (customer, names, id, marker) => {
          const keys = new RedisKeys('tg');
          const spends = names.map((counter): Spend => {
            return {
              counter,
              kind: 'slots',
              unit: 'requests',
              onExpiry: 'keep',
              limit: counter,
              amount: 1,
              ceiling: 1,
              observe: false,
            };
          });
          const ask: Ask = {
            id,
            mintedAt: 0,
            expiresAt: 1,
            customer,
            from: 0,
            until: 1,
            candidates: [spends],
            run: { marker, idleMs: 1 },
          };
          const question = questionOf(ask, {
            prefix: keys.prefix(customer),
            isDry: false,
            force: undefined,
            more: [],
          });
          const slots = new Set(question.keys.map(slotOf));
          assert.equal(slots.size, 1, question.keys.join('\n'));
          assert.equal(new Set(question.keys).size, names.length + 3);
        },
      ),
      { seed: 16, numRuns: 500 },
    );
  });

  it('R16: keep customers apart', () => {
    fc.assert(
      fc.property(aText, aText, (a, b) => {
        const keys = new RedisKeys('tg');
        assert.equal(keys.prefix(a) === keys.prefix(b), a === b);
      }),
      { seed: 17, numRuns: 500 },
    );
  });

  it('are made of parts that can be read back, and end no field', () => {
    fc.assert(
      fc.property(aText, (text) => {
        assert.equal(partText(keyPart(text)), text);
        assert.equal(/[ ;{}\n\t\r]/.test(keyPart(text)), false);
      }),
      { seed: 18, numRuns: 500 },
    );
  });

  it('take no namespace that has braces', () => {
    assert.throws(() => new RedisKeys('a{b'), /must not have braces/);
  });
});
