import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Reason } from '../../src/core/reasons.ts';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { credentialHeaders, presentedCredential } from '../../src/identity/credential.ts';
import { headersOf } from './headers.ts';

const KEY = mintApiKey('prod').key;
const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln';

const AUTH = 'authorization';

type Row = [what: string, headers: [string, string][], found: Reason | { carrier: string; kind: string }];

const ROWS: Row[] = [
  ['nothing', [], 'credential_missing'],
  ['a certificate alone', [['x-forwarded-client-cert', 'Hash=abc']], 'credential_unsupported'],
  [
    'other headers do not count',
    [
      ['x-user', KEY],
      ['cookie', KEY],
    ],
    'credential_missing',
  ],
  // One, in each place
  ['Bearer', [[AUTH, `Bearer ${KEY}`]], { carrier: AUTH, kind: 'opaque' }],
  ['bearer', [[AUTH, `bearer ${KEY}`]], { carrier: AUTH, kind: 'opaque' }],
  ['bEARER', [[AUTH, `bEARER ${KEY}`]], { carrier: AUTH, kind: 'opaque' }],
  ['x-api-key', [['x-api-key', KEY]], { carrier: 'x-api-key', kind: 'opaque' }],
  ['api-key', [['api-key', KEY]], { carrier: 'api-key', kind: 'opaque' }],
  ['x-goog-api-key', [['x-goog-api-key', KEY]], { carrier: 'x-goog-api-key', kind: 'opaque' }],
  [
    'a key beside a certificate',
    [
      ['x-api-key', KEY],
      ['x-forwarded-client-cert', 'Hash=abc'],
    ],
    { carrier: 'x-api-key', kind: 'opaque' },
  ],
  ['a token', [[AUTH, `Bearer ${JWT}`]], { carrier: AUTH, kind: 'jwt' }],
  [
    'a token without signature',
    [[AUTH, 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.']],
    { carrier: AUTH, kind: 'jwt' },
  ],
  ['exactly 8 KiB', [['x-api-key', 'a'.repeat(8192)]], { carrier: 'x-api-key', kind: 'opaque' }],
  // Two, or one twice
  [
    'two headers',
    [
      [AUTH, `Bearer ${KEY}`],
      ['x-api-key', KEY],
    ],
    'credentials_ambiguous',
  ],
  [
    'two headers, one empty',
    [
      [AUTH, `Bearer ${KEY}`],
      ['x-api-key', ''],
    ],
    'credentials_ambiguous',
  ],
  [
    'two headers, one nonsense',
    [
      [AUTH, 'Basic x'],
      ['api-key', KEY],
    ],
    'credentials_ambiguous',
  ],
  [
    'one header twice',
    [
      [AUTH, `Bearer ${KEY}`],
      [AUTH, `Bearer ${KEY}`],
    ],
    'credentials_ambiguous',
  ],
  [
    'x-api-key twice',
    [
      ['x-api-key', KEY],
      ['x-api-key', 'other'],
    ],
    'credentials_ambiguous',
  ],
  ['joined by a comma', [[AUTH, `Bearer ${KEY},Bearer ${KEY}`]], 'credentials_ambiguous'],
  ['joined by comma and space', [[AUTH, `Bearer ${KEY}, Bearer ${KEY}`]], 'credentials_ambiguous'],
  ['keys joined', [['x-api-key', `${KEY},${KEY}`]], 'credentials_ambiguous'],
  ['a comma and nothing', [[AUTH, `Bearer ${KEY},`]], 'credentials_ambiguous'],
  // Malformed (K4)
  ['empty', [[AUTH, '']], 'credential_malformed'],
  ['empty key', [['x-api-key', '']], 'credential_malformed'],
  ['a space', [[AUTH, ' ']], 'credential_malformed'],
  ['tabs', [[AUTH, '\t\t']], 'credential_malformed'],
  ['Bearer alone', [[AUTH, 'Bearer']], 'credential_malformed'],
  ['Bearer and a space', [[AUTH, 'Bearer ']], 'credential_malformed'],
  ['two spaces', [[AUTH, `Bearer  ${KEY}`]], 'credential_malformed'],
  ['a tab between', [[AUTH, `Bearer\t${KEY}`]], 'credential_malformed'],
  ['space before', [[AUTH, ` Bearer ${KEY}`]], 'credential_malformed'],
  ['space after', [[AUTH, `Bearer ${KEY} `]], 'credential_malformed'],
  ['two words', [[AUTH, 'Bearer a b']], 'credential_malformed'],
  ['quotes', [[AUTH, `Bearer "${KEY}"`]], 'credential_malformed'],
  ['no scheme', [[AUTH, KEY]], 'credential_malformed'],
  ['scheme with a colon', [[AUTH, `Bearer: ${KEY}`]], 'credential_malformed'],
  ['a scheme in x-api-key', [['x-api-key', `Bearer ${KEY}`]], 'credential_malformed'],
  ['over 8 KiB', [['x-api-key', 'a'.repeat(8193)]], 'credential_malformed'],
  ['`!` of Envoy', [['x-api-key', `${KEY.slice(0, -1)}!`]], 'credential_malformed'],
  ['latin-1', [['x-api-key', `${KEY.slice(0, -1)}é`]], 'credential_malformed'],
  ['U+FFFD', [['x-api-key', `${KEY.slice(0, -1)}\uFFFD`]], 'credential_malformed'],
  ['NUL', [['x-api-key', `${KEY}\0`]], 'credential_malformed'],
  ['DEL', [['x-api-key', `${KEY}\x7f`]], 'credential_malformed'],
  ['line feed', [['x-api-key', `${KEY}\n`]], 'credential_malformed'],
  ['padding in the middle', [['x-api-key', 'ab=c']], 'credential_malformed'],
  // Other schemes
  ['Basic', [[AUTH, 'Basic dXNlcjpwYXNz']], 'credential_unsupported'],
  ['DPoP', [[AUTH, `DPoP ${JWT}`]], 'credential_unsupported'],
];

describe('presented credential', () => {
  for (const [i, [what, headers, expected]] of ROWS.entries()) {
    test(`H3 H4 H5 K4 ${i + 1} ${what}`, () => {
      const found = presentedCredential(headersOf(headers));
      if (typeof expected === 'string') {
        assert.ok('reason' in found);
        assert.equal(found.reason, expected);
        assert.ok(!found.detail.includes(KEY.slice(-20)), 'no secret in the detail');
      } else {
        assert.ok('token' in found);
        assert.deepEqual({ carrier: found.carrier, kind: found.kind }, expected);
      }
    });
  }

  test('what is found is the exact text of one header, whatever stands in it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (value) => {
        const found = presentedCredential(headersOf([['x-api-key', value]]));
        if ('token' in found) assert.equal(found.token, value);
        else assert.ok(found.reason === 'credential_malformed' || value.includes(','));
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});

test('credential headers are all that stand there, whatever their worth', () => {
  assert.deepEqual(credentialHeaders(headersOf([])), []);
  assert.deepEqual(credentialHeaders(headersOf([['x-api-key', KEY]])), ['x-api-key']);
  assert.deepEqual(
    credentialHeaders(
      headersOf([
        ['api-key', ''],
        ['x-api-key', 'a'],
        ['authorization', 'b'],
        ['authorization', 'c'],
      ]),
    ),
    ['authorization', 'x-api-key', 'api-key'],
  );
});
