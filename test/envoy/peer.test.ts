import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { judgePeer, namesIn, type PeerSocket } from '../../src/envoy/peer.ts';
import { TestAuthority } from '../support/certificates.ts';

const ENVOY = 'spiffe://acme/envoy';
const AUTHORITY = new TestAuthority();

test('names in a certificate, as Node writes them', () => {
  const rows: readonly [text: string, names: readonly string[]][] = [
    ['', []],
    ['DNS:a.b', ['a.b']],
    ['DNS:A.B, DNS:c', ['a.b', 'c']],
    [`URI:${ENVOY}`, [ENVOY]],
    [`DNS:a, URI:${ENVOY}, IP Address:127.0.0.1`, [ENVOY, 'a']],
    [`URI:${ENVOY}, URI:https://a.b`, []],
    [`URI:${ENVOY}, URI:${ENVOY}`, []],
    ['URI:https://a.b', []],
    [`URI:${ENVOY.toUpperCase()}`, []],
    [`DNS:${ENVOY}`, []],
    ['DNS:*.a.b', []],
    [`DNS:"x\\u002c URI:${ENVOY}"`, []],
    [`email:a@b, URI:${ENVOY}`, [ENVOY]],
    [`othername:<unsupported>, URI:${ENVOY}`, [ENVOY]],
    // What cannot be read says nothing.
    [`DNS:a"b, URI:${ENVOY}`, []],
    [`URI:${ENVOY},DNS:a`, []],
    [`DNS:"a, URI:${ENVOY}`, []],
    [Array.from({ length: 101 }, () => 'DNS:a').join(', '), []],
  ];
  for (const [index, [text, names]] of rows.entries()) assert.deepEqual(namesIn(text), names, `row ${index}`);
});

test('T14: a certificate that was not verified proves nothing, whatever it says', () => {
  const certificate = new X509Certificate(AUTHORITY.issue({ uris: [ENVOY] }).cert);
  const socket = (authorized: boolean, alpnProtocol: string | false): PeerSocket => ({
    authorized,
    alpnProtocol,
    getPeerX509Certificate: () => certificate,
  });
  const rule = { names: new Set([ENVOY]), protocol: 'h2' };
  assert.deepEqual(judgePeer(socket(true, 'h2'), rule), { name: ENVOY });
  assert.equal(judgePeer(socket(false, 'h2'), rule), 'unproved');
  assert.equal(judgePeer(socket(true, false), rule), 'protocol');
  assert.equal(judgePeer(socket(true, 'http/1.1'), rule), 'protocol');
  assert.equal(judgePeer(socket(true, 'h2'), { ...rule, names: new Set() }), 'name');
  assert.equal(judgePeer({ ...socket(true, 'h2'), getPeerX509Certificate: () => undefined }, rule), 'name');
});

test('no text in a DNS entry is taken for an id, and a listed host among hosts is found', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 40 }), fc.nat({ max: 20 }), (noise, at) => {
      const ascii = noise.replace(/[^\x20-\x7e]/g, '.');
      const hidden = `${ascii.slice(0, at)}, URI:${ENVOY}${ascii.slice(at)}`;
      const { cert } = AUTHORITY.issue({ dns: [hidden, 'envoy.svc'] });
      const found = namesIn(new X509Certificate(cert).subjectAltName ?? '');
      assert.ok(!found.includes(ENVOY), hidden);
      assert.ok(found.includes('envoy.svc'), hidden);
    }),
    { seed: 14, numRuns: 200 },
  );
});
