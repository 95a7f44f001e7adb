import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { keyServer, tokenOf } from '../support/issuer.ts';
import { fileScope } from '../support/scope.ts';
import { CLAIMS, doorOf, issuerEntry, type TokenDoor } from './token-door.ts';
import { EC, RSA } from './token-rows.ts';

const CHARS = [...'ABCxyz019-_.=+/~ \n"{}\0\u00e9'];
const scope = fileScope();
const server = await keyServer(scope, [EC.jwk, RSA.jwk]);

/** One edit: at a share of the length, a character in place of another, put in, or taken out. */
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  act: fc.constantFrom('replace', 'insert', 'remove'),
  char: fc.constantFrom(...CHARS),
});

describe('J15 a good token, changed', () => {
  let door: TokenDoor;
  before(async () => {
    door = await doorOf(scope, [issuerEntry(server.url)]);
  });

  for (const key of [EC, RSA]) {
    test(`J15 ${key.algorithm}: no edit of its text gets in`, async () => {
      const token = tokenOf(key, CLAIMS);
      assert.equal(await door.reasonOf(token), 'let in');
      await fc.assert(
        fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
          const text = edits.reduce((found, { at, act, char }) => {
            const index = Math.floor(at * found.length);
            return (
              found.slice(0, index) + (act === 'remove' ? '' : char) + found.slice(index + (act === 'insert' ? 0 : 1))
            );
          }, token);
          fc.pre(text !== token);
          assert.notEqual(await door.reasonOf(text), 'let in');
        }),
        { numRuns: 500, seed: 4 },
      );
    });
  }

  test('J15 segments of two good tokens make no third', async () => {
    const [a, b] = [tokenOf(EC, CLAIMS), tokenOf(RSA, { ...CLAIMS, sub: 'bob', team: 'hr' })].map((text) =>
      text.split('.'),
    );
    for (let mix = 1; mix < 7; mix++) {
      const text = [0, 1, 2].map((part) => ((mix >> part) & 1 ? a : b)![part]).join('.');
      assert.equal(await door.reasonOf(text), 'credential_signature', String(mix));
    }
  });
});
