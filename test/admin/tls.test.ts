import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { before, test } from 'node:test';
import { connect } from 'node:tls';
import { TestAuthority, type TestCertificate } from '../support/certificates.ts';
import { fileScope } from '../support/scope.ts';
import { until } from '../support/until.ts';
import { type AdminRig, adminFor, TOKENS } from './rig.ts';

const scope = fileScope();
const authority = new TestAuthority();
const server = authority.issue({ dns: ['tollgate.test'] });
const ops = authority.issue({ uris: ['spiffe://acme/ops'] });
const scraper = authority.issue({ dns: ['scraper.test'] });
const guest = authority.issue({ uris: ['spiffe://acme/guest'] });
const stranger = new TestAuthority().issue({ uris: ['spiffe://acme/ops'] });
let rig: AdminRig;
let port = 0;

before(async () => {
  rig = await adminFor(scope, {
    roles: ['viewer'],
    admin:
      'admin: {hosts: [tollgate.test], roles: {viewer: {token: viewer}, security: {names: ["spiffe://acme/ops"]}, metrics: {names: [scraper.test]}}}\n',
    secrets: { cert: server.cert, key: server.key, ca: authority.cert },
    settings:
      'tls: {admin: {cert: cert, key: key, client_ca: ca, names: ["spiffe://acme/ops", scraper.test, "spiffe://acme/idle"]}}\n',
    bounds: { headersMs: 150, requestMs: 300, checkMs: 25 },
  });
  const { endpoint } = rig.listener;
  port = endpoint.kind === 'tcp' ? endpoint.port : 0;
});

const TLS = { host: '127.0.0.1', servername: 'tollgate.test', ca: authority.cert, ALPNProtocols: ['http/1.1'] };

async function statusOf(client: TestCertificate | undefined, path: string, headers: Record<string, string> = {}) {
  const proof = client === undefined ? {} : { cert: client.cert, key: client.key };
  const call = request({ ...TLS, ...proof, port, path, agent: false, headers: { host: 'tollgate.test', ...headers } });
  call.end();
  const [response] = await once(call, 'response');
  response.resume();
  return response.statusCode as number;
}

const TOKEN = { authorization: `Bearer ${TOKENS.viewer}` };
const ROWS: readonly [
  who: string,
  client: TestCertificate | undefined,
  path: string,
  headers: Record<string, string>,
  status: number | 'cut',
][] = [
  ['a name of a role', ops, '/v1/keys', {}, 200],
  ['the same', ops, '/v1/accounts', {}, 200],
  ['a name of another role', scraper, '/v1/keys', {}, 403],
  ['for what it has', scraper, '/metrics', {}, 200],
  ['a wrong token, whatever the certificate', ops, '/v1/keys', { authorization: `Bearer ${'x'.repeat(40)}` }, 401],
  ['the role of the token, not of the certificate', ops, '/v1/keys', TOKEN, 403],
  ['a name that is not let in', guest, '/livez', {}, 'cut'],
  ['a certificate of another authority', stranger, '/livez', {}, 'cut'],
  ['nobody', undefined, '/livez', TOKEN, 'cut'],
];
for (const [index, [who, client, path, headers, status]] of ROWS.entries()) {
  test(`A7: behind certificates, row ${index}: ${who} asks ${path}: ${status}`, async () => {
    const found = await statusOf(client, path, headers).catch(() => 'cut');
    assert.equal(found, status);
  });
}

test('A1: behind certificates, too, another host is told 421', async () => {
  assert.equal(await statusOf(ops, '/livez', { host: 'evil.example' }), 421);
});

test('A8: behind certificates, too, a slow head is cut', async () => {
  const socket = connect({ ...TLS, port, cert: ops.cert, key: ops.key });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  socket.write('GET /livez HTTP/1.1\r\nHost: toll');
  socket.resume();
  await once(socket, 'close');
  assert.equal(await statusOf(ops, '/livez'), 200);
});

test('the record says the name in the certificate', async () => {
  await statusOf(scraper, '/v1/audit');
  const record = await until('it', () => rig.records().find(({ object }) => object === 'audit_read'));
  assert.deepEqual([record.who, record.role], ['scraper.test', 'metrics']);
});
