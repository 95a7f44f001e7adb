/** Tokens that nobody may get in with, and those that only look like it: rows J of the table of bad input. */
import { constants, createHmac, createPrivateKey, privateEncrypt } from 'node:crypto';
import type { Reason } from '../../src/core/reasons.ts';
import { compact, type Members, segment, type TestKey, testKey, tokenOf } from '../support/issuer.ts';
import { CLAIMS, NOW_MS } from './token-door.ts';

export const EC = testKey('ES256', 'ec');
export const RSA = testKey('RS256', 'rsa');
/** Keys that the issuer does not have. */
export const STRANGER = testKey('ES256', 'ec');
export const WEAK = testKey('RS256', 'weak', { bits: 1024 });

const NOW = NOW_MS / 1000;
/** Order of P-256, SEC 2 section 2.4.2. */
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

type Row = readonly [row: string, what: string, token: () => string, expected: Reason | 'let in'];

const without = (name: string): Members => Object.fromEntries(Object.entries(CLAIMS).filter(([key]) => key !== name));
const claiming = (changes: Members): string => tokenOf(EC, { ...CLAIMS, ...changes });
const heading = (header: Members): string => tokenOf(EC, CLAIMS, header);
const signedAs = (algorithm: unknown, signed: (input: string) => Uint8Array): string =>
  compact({ header: { alg: algorithm, kid: 'ec', typ: 'at+jwt' }, claims: CLAIMS }, signed);
const nothing = (): Uint8Array => new Uint8Array();

/** HMAC under bytes that everybody knows: the classic confusion of public key and secret. */
function hmacOf(secret: string | Buffer, alg = 'HS256'): string {
  return compact({ header: { alg, kid: 'rsa', typ: 'at+jwt' }, claims: CLAIMS }, (input) =>
    createHmac('sha256', secret).update(input).digest(),
  );
}

/** The two numbers of a signature, changed. */
function numbers(change: (r: bigint, s: bigint) => readonly [bigint, bigint], bytes = 32): string {
  return signedAs('ES256', (input) => {
    const [r, s] = [...EC.sign(input).toString('hex').matchAll(/.{64}/g)].map(([hex]) => BigInt(`0x${hex}`));
    const hex = change(r!, s!).map((number) => number.toString(16).padStart(bytes * 2, '0'));
    return Buffer.from(hex.join(''), 'hex');
  });
}

function der(input: string): Buffer {
  const raw = EC.sign(input);
  const integer = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([2, bytes.length + 1, 0]), bytes]);
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

/** A PKCS #1 block of its own making under the issuer's key: the digest is right, its DigestInfo is not there. */
function bareDigest(): string {
  const key = createPrivateKey(RSA.privateKey.export({ format: 'pem', type: 'pkcs8' }));
  return tokenOf(
    {
      ...RSA,
      sign: (input) =>
        privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, Buffer.from(input).subarray(0, 32)),
    },
    CLAIMS,
  );
}

function respelled(change: (token: string) => string): () => string {
  return () => change(tokenOf(EC, CLAIMS));
}

/** The last character of base64url stands for bits that are thrown away: another one decodes to the same bytes. */
function spareBits(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = alphabet.indexOf(text.at(-1)!);
  return text.slice(0, -1) + alphabet[last ^ 1]!;
}

const text = (claims: Members, more: string): string => `${JSON.stringify(claims).slice(0, -1)},${more}}`;
const nested = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
const KIDS = ['../../../../dev/null', "' OR '1'='1", 'ec\0', '__proto__', 'constructor', '', 'k'.repeat(4096)];

export function tokenRows(attacker: string): readonly Row[] {
  const jwk = STRANGER.jwk;
  const own = (key: TestKey): Members => ({ alg: key.algorithm, typ: 'at+jwt' });
  return [
    ['J0', 'a good token, ES256', () => tokenOf(EC, CLAIMS), 'let in'],
    ['J0', 'a good token, RS256', () => tokenOf(RSA, CLAIMS), 'let in'],
    ...['none', 'None', 'NONE', 'nOnE', ''].flatMap((alg): Row[] => [
      ['J1', `alg \`${alg}\`, unsigned`, () => signedAs(alg, nothing), 'credential_algorithm'],
      ['J1', `alg \`${alg}\`, signed`, () => signedAs(alg, EC.sign), 'credential_algorithm'],
    ]),
    ['J1', 'no alg', () => signedAs(undefined, EC.sign), 'credential_algorithm'],
    ['J1', 'alg that is no text', () => signedAs(['ES256'], EC.sign), 'credential_algorithm'],
    ['J1', 'a good alg, unsigned', () => signedAs('ES256', nothing), 'credential_signature'],
    [
      'J2',
      'HS256 under the PEM',
      () => hmacOf(RSA.publicKey.export({ format: 'pem', type: 'spki' })),
      'credential_algorithm',
    ],
    [
      'J2',
      'HS256 under the DER',
      () => hmacOf(RSA.publicKey.export({ format: 'der', type: 'spki' })),
      'credential_algorithm',
    ],
    ['J2', 'HS256 under the JWK', () => hmacOf(JSON.stringify(RSA.jwk)), 'credential_algorithm'],
    [
      'J2',
      'an HMAC that says RS256',
      () => hmacOf(RSA.publicKey.export({ format: 'pem', type: 'spki' }), 'RS256'),
      'credential_signature',
    ],
    ...KIDS.map(
      (kid): Row => ['J4', `kid ${JSON.stringify(kid).slice(0, 30)}`, () => heading({ kid }), 'credential_signature'],
    ),
    ['J4', 'kid that is no text', () => heading({ kid: { $ne: '' } }), 'credential_malformed'],
    [
      'J4',
      'no kid where several keys are, and one fits',
      () => compact({ header: own(EC), claims: CLAIMS }, EC.sign),
      'let in',
    ],
    ['J5', 'jwk of a stranger', () => tokenOf(STRANGER, CLAIMS, { jwk }), 'credential_signature'],
    [
      'J5',
      'jku of a stranger',
      () => tokenOf(STRANGER, CLAIMS, { jku: `${attacker}/jwks.json` }),
      'credential_signature',
    ],
    [
      'J5',
      'x5u of a stranger',
      () => tokenOf(STRANGER, CLAIMS, { x5u: `${attacker}/cert.pem` }),
      'credential_signature',
    ],
    ['J5', 'x5c of a stranger', () => tokenOf(STRANGER, CLAIMS, { x5c: ['MIIB'] }), 'credential_signature'],
    [
      'J5',
      'a good token that has them all',
      () => heading({ jku: `${attacker}/jwks.json`, x5u: `${attacker}/c`, jwk, x5c: ['MIIB'] }),
      'let in',
    ],
    ['J6', 'psychic: r = s = 0', () => numbers(() => [0n, 0n]), 'credential_signature'],
    ['J6', 'r = 0', () => numbers((_r, s) => [0n, s]), 'credential_signature'],
    ['J6', 's = 0', () => numbers((r) => [r, 0n]), 'credential_signature'],
    ['J6', 'r = s = n', () => numbers(() => [N, N]), 'credential_signature'],
    ['J6', 'r + n', () => numbers((r, s) => [r + N, s], 33), 'credential_signature'],
    ['J6', 's + n', () => numbers((r, s) => [r, s + N], 33), 'credential_signature'],
    // ECDSA is malleable: another text of the same caller, remembered on its own.
    ['J6', 'n - s', () => numbers((r, s) => [r, N - s]), 'let in'],
    ['J6', 'DER', () => signedAs('ES256', der), 'credential_signature'],
    ['J6', 'a byte less', () => signedAs('ES256', (input) => EC.sign(input).subarray(1)), 'credential_signature'],
    [
      'J6',
      'a byte more',
      () => signedAs('ES256', (input) => Buffer.concat([EC.sign(input), Buffer.of(0)])),
      'credential_signature',
    ],
    ['J6', 'the signature of another token', () => signedAs('ES256', () => EC.sign('a.b')), 'credential_signature'],
    ['J6', 'RSA: the digest without its frame', bareDigest, 'credential_signature'],
    ...['exp', 'iat', 'sub'].map(
      (name): Row => ['J7', `no ${name}`, () => tokenOf(EC, without(name)), 'credential_claims'],
    ),
    ['J8', 'exp in the year 9999, and young', () => claiming({ exp: 253_402_300_799 }), 'let in'],
    [
      'J8',
      'exp in the year 9999, and old',
      () => claiming({ exp: 253_402_300_799, iat: NOW - 86_461 }),
      'credential_expired',
    ],
    ['J8', 'exp beyond the year 9999', () => claiming({ exp: 1e300 }), 'credential_claims'],
    ['J9', 'iat an hour ahead', () => claiming({ iat: NOW + 3600, exp: NOW + 7200 }), 'credential_not_yet_valid'],
    ['J9', 'iat a minute ahead', () => claiming({ iat: NOW + 60 }), 'let in'],
    ['J10', 'nbf ahead', () => claiming({ nbf: NOW + 61 }), 'credential_not_yet_valid'],
    ['J10', 'nbf within the tolerance', () => claiming({ nbf: NOW + 60 }), 'let in'],
    ['J10', 'nbf as a text', () => claiming({ nbf: '0' }), 'credential_claims'],
    ['J10', 'nbf below the calendar', () => claiming({ nbf: -1e300 }), 'credential_claims'],
    ['J10', 'exp just within the tolerance', () => claiming({ exp: NOW - 59 }), 'let in'],
    ['J10', 'exp just beyond it', () => claiming({ exp: NOW - 60 }), 'credential_expired'],
    ['J10', 'exp as a text', () => claiming({ exp: String(NOW + 600) }), 'credential_claims'],
    ['J10', 'exp null', () => claiming({ exp: null }), 'credential_claims'],
    ['J10', 'exp negative', () => claiming({ exp: -1 }), 'credential_expired'],
    ['J10', 'exp with a fraction', () => claiming({ exp: NOW + 0.5 }), 'let in'],
    ['J10', 'exp NaN', () => tokenOf(EC, text(without('exp'), '"exp":NaN')), 'credential_malformed'],
    ['J10', 'exp 1e999', () => tokenOf(EC, text(without('exp'), '"exp":1e999')), 'credential_claims'],
    ['J11', 'no aud', () => tokenOf(EC, without('aud')), 'credential_audience'],
    ['J11', 'another aud', () => claiming({ aud: 'billing' }), 'credential_audience'],
    ['J11', 'aud in another case', () => claiming({ aud: 'AI-Gateway' }), 'credential_audience'],
    ['J11', 'aud among others', () => claiming({ aud: ['billing', 'ai-gateway'] }), 'let in'],
    ['J11', 'aud in a list of lists', () => claiming({ aud: [['ai-gateway']] }), 'credential_audience'],
    ['J11', 'aud as a mapping', () => claiming({ aud: { 'ai-gateway': true } }), 'credential_audience'],
    [
      'J11',
      '100k aud',
      () => claiming({ aud: Array.from({ length: 100_000 }, () => 'ai-gateway') }),
      'credential_malformed',
    ],
    ['J12', 'no typ', () => heading({ typ: undefined }), 'credential_type'],
    ['J12', 'an ID token', () => heading({ typ: 'JWT' }), 'credential_type'],
    ['J12', 'typ that is no text', () => heading({ typ: ['at+jwt'] }), 'credential_type'],
    ['J12', 'typ as a media type', () => heading({ typ: 'application/AT+JWT' }), 'let in'],
    ['J13', 'an unknown crit', () => heading({ crit: ['x'], x: 1 }), 'credential_unsupported'],
    ['J13', 'crit empty', () => heading({ crit: [] }), 'credential_unsupported'],
    ['J13', 'crit twice the same', () => heading({ crit: ['exp', 'exp'], exp: 1 }), 'credential_unsupported'],
    ['J13', 'b64 false', () => heading({ crit: ['b64'], b64: false }), 'credential_unsupported'],
    ['J13', 'b64 false without crit', () => heading({ b64: false }), 'credential_unsupported'],
    ['J14', 'sub twice', () => tokenOf(EC, text(CLAIMS, '"sub":"eve"')), 'credential_malformed'],
    ['J14', 'sub twice, once escaped', () => tokenOf(EC, text(CLAIMS, '"s\\u0075b":"eve"')), 'credential_malformed'],
    [
      'J14',
      'a key twice, further down',
      () => tokenOf(EC, text(CLAIMS, '"x":[{"a":1,"a":1}]')),
      'credential_malformed',
    ],
    ['J14', '__proto__ twice', () => tokenOf(EC, text(CLAIMS, '"__proto__":1,"__proto__":2')), 'credential_malformed'],
    [
      'J14',
      'alg twice',
      () => compact({ header: '{"alg":"none","alg":"ES256","kid":"ec","typ":"at+jwt"}', claims: CLAIMS }, EC.sign),
      'credential_malformed',
    ],
    ['J14', 'keys and colons inside of texts', () => claiming({ note: '"sub":"eve","sub":' }), 'let in'],
    ['J15', 'padding', respelled((token) => `${token}==`), 'credential_malformed'],
    ['J15', 'one sign of padding', respelled((token) => `${token}=`), 'credential_malformed'],
    ['J15', 'a newline behind', respelled((token) => `${token}\n`), 'credential_malformed'],
    [
      'J15',
      'a newline inside',
      respelled((token) => `${token.slice(0, 20)}\n${token.slice(20)}`),
      'credential_malformed',
    ],
    ['J15', 'a space behind', respelled((token) => `${token} `), 'credential_malformed'],
    ['J15', 'spare bits of the signature', respelled(spareBits), 'credential_malformed'],
    [
      'J15',
      'the standard alphabet',
      respelled((token) => `${token.replaceAll('-', '+').replaceAll('_', '/')}/`),
      'credential_malformed',
    ],
    ['J15', 'a byte order mark', () => tokenOf(EC, `\ufeff${JSON.stringify(CLAIMS)}`), 'credential_malformed'],
    [
      'J15',
      'a payload that is not UTF-8',
      () =>
        compact({ header: own(EC), claims: CLAIMS }, EC.sign).replace(
          /\.[^.]+\./,
          `.${Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url')}.`,
        ),
      'credential_malformed',
    ],
    ['J16', '4 MB', () => claiming({ note: 'n'.repeat(3_000_000) }), 'credential_malformed'],
    [
      'J17',
      '100k levels',
      () => compact({ header: `{"x":${nested(100_000)}}`, claims: CLAIMS }, nothing),
      'credential_malformed',
    ],
    ['J17', 'as many levels as fit', () => tokenOf(EC, text(CLAIMS, `"x":${nested(2500)}`)), 'let in'],
    [
      'J18',
      'an encrypted token',
      () => `${segment({ alg: 'dir', enc: 'A128GCM' })}..aaaa.bbbb.cccc`,
      'credential_unsupported',
    ],
    ['J18', 'a token in a token', () => tokenOf(EC, tokenOf(EC, CLAIMS), { cty: 'JWT' }), 'credential_malformed'],
    ['J18', 'zip', () => heading({ zip: 'DEF' }), 'credential_unsupported'],
    ['J18', 'two segments', respelled((token) => token.slice(0, token.lastIndexOf('.'))), 'credential_malformed'],
    ['J18', 'four segments', respelled((token) => `${token}.aaaa`), 'credential_malformed'],
    ['J18', 'a list for a payload', () => tokenOf(EC, '[]'), 'credential_malformed'],
    ['J19', 'an issuer nobody named', () => claiming({ iss: 'https://evil.example' }), 'credential_issuer'],
    ['J19', 'the issuer with a slash more', () => claiming({ iss: 'https://id.acme.example/' }), 'credential_issuer'],
    ['J19', 'no iss', () => tokenOf(EC, without('iss')), 'credential_issuer'],
    ['J19', 'a list of issuers', () => claiming({ iss: ['https://id.acme.example'] }), 'credential_issuer'],
    ['J19', 'iss `__proto__`', () => claiming({ iss: '__proto__' }), 'credential_issuer'],
    ['J23', 'RS1', () => tokenOf(RSA, CLAIMS, { alg: 'RS1' }), 'credential_algorithm'],
    ['J23', 'PS256 with a key for RS256', () => tokenOf(RSA, CLAIMS, { alg: 'PS256' }), 'credential_algorithm'],
    ['J23', 'ES256 that names the RSA key', () => tokenOf(EC, CLAIMS, { kid: 'rsa' }), 'credential_signature'],
    ['J23', 'RSA of 1024 bits', () => tokenOf(WEAK, CLAIMS), 'credential_signature'],
    ['claims', 'a team in capitals', () => claiming({ team: 'Search' }), 'credential_claims'],
    ['claims', 'a team of two parts', () => claiming({ team: 'hr/boss' }), 'credential_claims'],
    ['claims', 'a team that climbs', () => claiming({ team: '..' }), 'credential_claims'],
    ['claims', 'a team that is no text', () => claiming({ team: 7 }), 'credential_claims'],
    ['claims', 'no team', () => tokenOf(EC, without('team')), 'credential_claims'],
    ['claims', 'sub with a line feed', () => claiming({ sub: 'ann\nb' }), 'credential_claims'],
    ['claims', 'sub too long', () => claiming({ sub: 's'.repeat(256) }), 'credential_claims'],
    ['claims', 'sub empty', () => claiming({ sub: '' }), 'credential_claims'],
  ];
}
