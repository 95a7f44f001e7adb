import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { connect as connectPlain, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { systemClock } from '../../src/core/clock.ts';
import type { Method } from '../../src/envoy/rpc.ts';
import { SHAKING_MAX } from '../../src/envoy/tls.ts';
import { type Listener, listen } from '../../src/envoy/transport.ts';
import { TestAuthority } from '../support/certificates.ts';
import { ROOT } from '../support/process.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';
import { until } from '../support/until.ts';
import { doorFor, peerOf, type TestDoor, tlsFiles, writeTls } from './tls-peer.ts';

const ENVOY = 'spiffe://acme/ns/gateway/sa/envoy';
const NAMES = [ENVOY, 'envoy.gateway.svc'];
const PATH = '/test.Echo/Say';
const AUTHORITY = new TestAuthority();
const OTHER = new TestAuthority();
const SERVER = AUTHORITY.issue({ dns: ['tollgate.svc'] });
const HOUR_MS = 3_600_000;

interface Served extends TestDoor {
  readonly listener: Listener;
  readonly port: number;
  /** Calls that reached a handler. */
  readonly calls: () => number;
  readonly files: Awaited<ReturnType<typeof tlsFiles>>;
}

async function serve(scope: Scope): Promise<Served> {
  let calls = 0;
  const echo: Method = {
    kind: 'unary',
    path: PATH,
    handle: (request) => {
      calls++;
      return Buffer.from(request);
    },
  };
  const files = await tlsFiles(scope, SERVER, AUTHORITY);
  const made = await doorFor(files, NAMES);
  const listener = await listen({
    endpoint: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    door: made.door,
    methods: [echo],
    receiveBytesMax: 1_048_576,
    clock: systemClock,
  });
  scope.after(() => listener.close({ deadlineMs: 100 }));
  assert.ok(listener.endpoint.kind === 'tcp');
  return { ...made, files, listener, port: listener.endpoint.port, calls: () => calls };
}

/** Connects, and waits until the other side has closed. */
async function closed(port: number, options: ConnectionOptions): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('close', resolve));
}

test('T14: a client certificate with a listed name is let in', async (t) => {
  const rows = [
    { uris: [ENVOY] },
    { dns: ['envoy.gateway.svc'] },
    { dns: ['other.svc', 'Envoy.Gateway.svc'] },
    { dns: ['other.svc'], uris: [ENVOY], commonName: 'nobody' },
    { uris: [ENVOY], usage: 'client' },
  ] as const;
  const { port, calls, turnedAway } = await serve(t);
  for (const [index, row] of rows.entries()) {
    const peer = peerOf(port, AUTHORITY.issue(row));
    assert.equal(await peer.ask(PATH), true, `row ${index}`);
    peer.close();
  }
  assert.equal(calls(), rows.length);
  assert.deepEqual(turnedAway, []);
});

test('T14: any other peer is turned away before a byte of HTTP/2 is read', async (t) => {
  const nowMs = Date.now();
  const rows: readonly [what: string, peer: ConnectionOptions, fault: string, detail: RegExp | undefined][] = [
    ['no certificate', {}, 'unproved', /DID_NOT_RETURN_A_CERTIFICATE/],
    ['another authority', OTHER.issue({ uris: [ENVOY] }), 'unproved', /UNABLE_TO_VERIFY/],
    ['an authority for itself', OTHER, 'unproved', /SELF_SIGNED|UNABLE/],
    ['expired', AUTHORITY.issue({ uris: [ENVOY], untilMs: nowMs - 1000 }), 'unproved', /CERT_HAS_EXPIRED/],
    ['not yet valid', AUTHORITY.issue({ uris: [ENVOY], fromMs: nowMs + HOUR_MS / 2 }), 'unproved', /NOT_YET_VALID/],
    ['for servers only', AUTHORITY.issue({ uris: [ENVOY], usage: 'server' }), 'unproved', /INVALID_PURPOSE/],
    ['another name', AUTHORITY.issue({ uris: ['spiffe://acme/ns/gateway/sa/other'] }), 'name', undefined],
    ['below the id', AUTHORITY.issue({ uris: [`${ENVOY}/x`] }), 'name', undefined],
    ['above the id', AUTHORITY.issue({ uris: ['spiffe://acme/ns/gateway/sa'] }), 'name', undefined],
    ['the id in other letters', AUTHORITY.issue({ uris: [ENVOY.toUpperCase()] }), 'name', undefined],
    ['the id among others', AUTHORITY.issue({ uris: [ENVOY, 'spiffe://acme/other'] }), 'name', undefined],
    ['the id as a host', AUTHORITY.issue({ dns: [ENVOY] }), 'name', undefined],
    ['the host as an id', AUTHORITY.issue({ uris: ['envoy.gateway.svc'] }), 'name', undefined],
    ['a wildcard', AUTHORITY.issue({ dns: ['*.gateway.svc', '*'] }), 'name', undefined],
    ['only a common name', AUTHORITY.issue({ commonName: 'envoy.gateway.svc' }), 'name', undefined],
    ['entries inside an entry', AUTHORITY.issue({ dns: [`x, URI:${ENVOY}`, `", URI:${ENVOY}`] }), 'name', undefined],
    ['TLS 1.2', { ...AUTHORITY.issue({ uris: [ENVOY] }), maxVersion: 'TLSv1.2' }, 'handshake', /PROTOCOL/],
  ];
  const { port, calls, turnedAway } = await serve(t);
  for (const [index, [what, peer, fault, detail]] of rows.entries()) {
    const asking = peerOf(port, peer);
    assert.equal(await asking.ask(PATH), false, what);
    await until('turned away', () => turnedAway.length === index + 1);
    const last = turnedAway.at(-1)!;
    assert.equal(last.fault, fault, what);
    if (detail === undefined) assert.equal(last.detail, undefined, what);
    else assert.match(last.detail ?? '', detail, what);
  }
  assert.equal(calls(), 0);
});

test('T14: who says nothing of HTTP/2, or no TLS at all, is turned away', async (t) => {
  const { port, turnedAway } = await serve(t);
  const known = AUTHORITY.issue({ uris: [ENVOY] });
  await closed(port, known);
  await until('turned away', () => turnedAway.length === 1);
  await closed(port, { ...known, ALPNProtocols: ['http/1.1'] });
  await until('turned away', () => turnedAway.length === 2);
  const plain = connectPlain(port, '127.0.0.1');
  plain.on('error', () => {});
  plain.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  await new Promise((resolve) => plain.once('close', resolve));
  await until('turned away', () => turnedAway.length === 3);
  assert.deepEqual(
    turnedAway.map(({ fault }) => fault),
    ['protocol', 'handshake', 'handshake'],
  );
});

test('T14: of connections that say nothing the oldest makes room; nobody who is in is put out', async (t) => {
  const { port, turnedAway } = await serve(t);
  const inside = peerOf(port, AUTHORITY.issue({ uris: [ENVOY] }));
  assert.equal(await inside.ask(PATH), true);
  const silent: Socket[] = [];
  t.after(() => {
    for (const socket of silent) socket.destroy();
  });
  for (let opened = 0; opened < SHAKING_MAX + 100; opened++) {
    silent.push(
      connectPlain({ port, host: '127.0.0.1' })
        .on('error', () => {})
        .resume(),
    );
    if (opened % 100 === 99) await once(silent.at(-1)!, 'connect');
  }
  await until('the oldest are ended', () => silent.slice(0, 100).every(({ closed }) => closed));
  assert.deepEqual(
    new Set(turnedAway.map(({ fault, detail }) => `${fault} ${detail}`)),
    new Set(['handshake ECONNRESET']),
  );
  const another = peerOf(port, AUTHORITY.issue({ uris: [ENVOY] }));
  assert.equal(await another.ask(PATH), true);
  assert.equal(await inside.ask(PATH), true);
  for (const peer of [inside, another]) peer.close();
});

test('T14: only one file of the sources reads peer certificates, and the library is never asked for one', async () => {
  const reading: string[] = [];
  for (const entry of await readdir(join(ROOT, 'src'), { recursive: true })) {
    if (!entry.endsWith('.ts')) continue;
    const text = await readFile(join(ROOT, 'src', entry), 'utf8');
    if (/getAuthContext|getPeer\w*Certificate|sslPeerCertificate|\.authorized\b/.test(text)) reading.push(entry);
  }
  assert.deepEqual(reading, [join('envoy', 'peer.ts')]);
});

test('a Unix socket has a door too', async (t) => {
  const files = await tlsFiles(t, SERVER, AUTHORITY);
  const { door } = await doorFor(files, NAMES);
  const path = join(await tempDir(t), 'run', 'check.sock');
  const listener = await listen({
    endpoint: { kind: 'unix', path },
    door,
    methods: [],
    receiveBytesMax: 1000,
    clock: systemClock,
  });
  t.after(() => listener.close({ deadlineMs: 100 }));
  const socket = connect({
    path,
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    ...AUTHORITY.issue({ uris: [ENVOY] }),
  });
  await once(socket, 'secureConnect');
  // The server's SETTINGS frame.
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  assert.equal(bytes[3], 4);
  socket.destroy();
});

test('a changed certificate is used by new handshakes; connections that were there go on', async (t) => {
  const { port, files, keeper, turnedAway, events } = await serve(t);
  const known = AUTHORITY.issue({ uris: [ENVOY] });
  const old = peerOf(port, known);
  assert.equal(await old.ask(PATH), true);
  const fresh = AUTHORITY.issue({ dns: ['tollgate.svc'], untilMs: Date.now() + 2 * HOUR_MS });
  await writeTls(files, fresh);
  assert.notEqual(await shownBy(port), fresh.cert);
  await keeper.refresh();
  assert.equal(await shownBy(port), fresh.cert);
  assert.equal(await old.ask(PATH), true);
  old.close();
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['changed'],
  );
  // What Node would forget with a new context: the version, and that a certificate is asked for.
  assert.equal(await peerOf(port, { ...known, maxVersion: 'TLSv1.2' }).ask(PATH), false);
  assert.equal(await peerOf(port, {}).ask(PATH), false);
  for (const detail of [/PROTOCOL/, /DID_NOT_RETURN/])
    await until('turned away', () => turnedAway.some((each) => detail.test(each.detail ?? '')));
});

test('an authority that was taken away lets nobody in any more, nor does a session of before', async (t) => {
  const { port, files, keeper } = await serve(t);
  const known = AUTHORITY.issue({ uris: [ENVOY] });
  const before = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'], ...known });
  let session: Buffer | undefined;
  before.on('session', (given: Buffer) => {
    session = given;
  });
  await once(before, 'data');
  const again = connect({
    ...{ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'], ...known },
    ...(session === undefined ? {} : { session }),
  });
  await once(again, 'data');
  assert.equal(again.isSessionReused(), false);
  before.destroy();
  again.destroy();
  await writeTls(files, { ca: OTHER.cert });
  await keeper.refresh();
  assert.equal(await peerOf(port, known).ask(PATH), false);
  const other = peerOf(port, OTHER.issue({ uris: [ENVOY] }));
  assert.equal(await other.ask(PATH), true);
  other.close();
});

test('closing lets calls finish, and opens to nobody', async (t) => {
  const { port, listener } = await serve(t);
  const known = AUTHORITY.issue({ uris: [ENVOY] });
  const peer = peerOf(port, known);
  assert.equal(await peer.ask(PATH), true);
  await listener.close({ deadlineMs: 500 });
  assert.equal(await peer.ask(PATH), false);
  assert.equal(await peerOf(port, known).ask(PATH), false);
});

/** PEM of the certificate that the server shows. */
async function shownBy(port: number): Promise<string> {
  const socket: TLSSocket = connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ALPNProtocols: ['h2'],
    ...AUTHORITY.issue({ uris: [ENVOY] }),
  });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  const shown = socket.getPeerX509Certificate()!.toString();
  socket.destroy();
  return shown;
}
