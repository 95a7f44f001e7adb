/** Mutual TLS between the real Envoy and Tollgate: who proves a listed name is served, nobody else is, and files are rotated. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { connect } from 'node:tls';
import type { Gateway } from '../../tools/envoy/gateway.ts';
import type { TollgateTls } from '../../tools/envoy/mtls.ts';
import { bookOf } from '../support/book.ts';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { TestAuthority, type TestCertificate } from '../support/certificates.ts';
import { gatewayFor, needEnvoy } from '../support/envoy.ts';
import { type Answer, send } from '../support/http.ts';
import { spawnNode } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';
import { writeBundle } from '../support/tollgate.ts';

const ENVOY = 'spiffe://acme/ns/gateway/sa/envoy';
const TOLLGATE = 'tollgate.gateway.svc';
const AUTHORITY = new TestAuthority();
const OTHER = new TestAuthority();
/** What Envoy waits for a Tollgate that refuses it. */
const CHECK_MS = 600;
const ROTATIONS = 3;
const CALLERS = 8;

const need = await needEnvoy();

describe('mutual TLS', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const dir = await tempDir(scope);
  const served = new Mount(join(dir, 'tls'));
  await served.swap(AUTHORITY.issue({ dns: [TOLLGATE] }), AUTHORITY);
  const bundle = join(dir, 'bundle');
  const { key } = await writeBundle(bundle, {
    files: {
      'plans.yaml': plansWith(),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith({}),
    },
    callers: { one: { account: 'acme' } },
  });
  await writeFile(
    join(bundle, 'tollgate.yaml'),
    `listen: {check: "127.0.0.1:0", access_log: "127.0.0.1:0", admin: off}
ledger: {path: ../ledger.db}
peppers: {v1: ../pepper-v1}
tls:
  check: {cert: ../tls/tls.crt, key: ../tls/tls.key, client_ca: ../tls/ca.crt, names: ["${ENVOY}"]}
  access_log: check
`,
  );
  const tollgate = spawnNode(scope, ['src/cli/main.ts', 'serve', '--config', bundle]);
  const [, check, accessLog] = await tollgate.line(/"check":"127.0.0.1:(\d+)","access_log":"127.0.0.1:(\d+)"/);
  const book = bookOf(join(dir, 'ledger.db'));

  /** An Envoy that shows this certificate. */
  const envoyWith = async (
    certificate: TestCertificate,
    tls: Partial<TollgateTls> = {},
  ): Promise<{ readonly gateway: Gateway; readonly mount: Mount }> => {
    const mount = new Mount(join(await tempDir(scope), 'tls'));
    await mount.swap(certificate, AUTHORITY);
    const gateway = await gatewayFor(scope, {
      check: { port: Number(check) },
      accessLog: { port: Number(accessLog) },
      checkTimeoutMs: CHECK_MS,
      retries: 0,
      tls: { dir: mount.dir, name: TOLLGATE, ...tls },
    });
    return { gateway, mount };
  };
  const ask = ({ url }: Gateway): Promise<Answer> =>
    send({
      url,
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${key.one}` },
      body: { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hello' }], max_tokens: 50 },
    });
  const turnedAway = (): readonly { readonly listener: string; readonly fault: string }[] =>
    tollgate
      .stderr()
      .split('\n')
      .filter((line) => line.includes('"tls_turned_away"'))
      .map((line) => JSON.parse(line));
  after(() => tollgate.kill());

  test('T14: an Envoy with a listed name is served, and its access log is taken', async () => {
    const { gateway } = await envoyWith(AUTHORITY.issue({ uris: [ENVOY] }));
    const answer = await ask(gateway);
    assert.equal(answer.status, 200, answer.text);
    const { end } = await book.ended(String(answer.headers['x-tollgate-decision']));
    assert.equal(end.kind, 'settled');
    assert.deepEqual(turnedAway(), []);
    await gateway.stop();
  });

  const known = { uris: [ENVOY] };
  const rows: readonly [what: string, certificate: TestCertificate, tls: Partial<TollgateTls>, fault: string][] = [
    ['another name', AUTHORITY.issue({ uris: ['spiffe://acme/ns/gateway/sa/other'] }), {}, 'name'],
    ['no certificate', AUTHORITY.issue(known), { certificate: false }, 'unproved'],
    ['an expired certificate', AUTHORITY.issue({ ...known, untilMs: Date.now() - 60_000 }), {}, 'unproved'],
    ['a certificate of another authority', OTHER.issue(known), {}, 'unproved'],
    ['TLS 1.2', AUTHORITY.issue(known), { version: 'TLSv1_2' }, 'handshake'],
    ['Envoy expects another Tollgate', AUTHORITY.issue(known), { name: 'other.gateway.svc' }, 'handshake'],
  ];
  for (const [index, [what, certificate, tls]] of rows.entries()) {
    test(`T14: row ${index}, ${what}: Envoy fails closed`, async () => {
      const { gateway } = await envoyWith(certificate, tls);
      const answer = await ask(gateway);
      assert.equal(answer.status, 503, answer.text);
      assert.equal(answer.headers['x-tollgate-decision'], undefined);
      assert.deepEqual(gateway.stub.records(), []);
      await gateway.stop();
    });
  }

  test('T14: the log says of both listeners why', async () => {
    const socket = connect({
      port: Number(accessLog),
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      ...rows[0]![1],
    });
    socket.on('error', () => {});
    await tollgate.line(/"listener":"access_log","fault":"name"/);
    const told = new Set(turnedAway().map(({ listener, fault }) => `${listener} ${fault}`));
    for (const fault of new Set(rows.map(([, , , each]) => each))) assert.ok(told.has(`check ${fault}`), fault);
    socket.destroy();
  });

  test('certificates of both sides are rotated under load, and no call fails', async () => {
    const { gateway, mount } = await envoyWith(AUTHORITY.issue(known));
    let isOver = false;
    const failed: Answer[] = [];
    let answered = 0;
    const callers = Array.from({ length: CALLERS }, async () => {
      while (!isOver) {
        const answer = await ask(gateway);
        answered++;
        if (answer.status !== 200) failed.push(answer);
      }
    });
    let last = '';
    for (let rotation = 0; rotation < ROTATIONS; rotation++) {
      const pair = AUTHORITY.issue({ dns: [TOLLGATE] });
      await served.swap(pair, AUTHORITY);
      await mount.swap(AUTHORITY.issue(known), AUTHORITY);
      await until5s(async () => (await shownBy(Number(check))) === pair.cert);
      last = pair.cert;
    }
    // A connection that Envoy opens now shakes hands with the new ones.
    const { gateway: fresh } = await envoyWith(AUTHORITY.issue(known));
    assert.equal((await ask(fresh)).status, 200);
    isOver = true;
    await Promise.all(callers);
    assert.deepEqual(failed.slice(0, 3), []);
    assert.ok(answered > ROTATIONS * CALLERS, `${answered} calls`);
    assert.equal(await shownBy(Number(accessLog)), last);

    await served.swap({ ...AUTHORITY.issue({ dns: [TOLLGATE] }), key: OTHER.key }, AUTHORITY);
    await tollgate.line(/"code":"tls_change_refused"/);
    assert.equal(await shownBy(Number(check)), last);
    assert.equal((await ask(gateway)).status, 200);
    await Promise.all([gateway.stop(), fresh.stop()]);
  });
});

/** A directory with a certificate, its key and authorities, swapped as Kubernetes swaps a mounted secret. */
class Mount {
  readonly dir: string;
  #version = 0;

  constructor(dir: string) {
    this.dir = dir;
  }

  async swap({ cert, key }: TestCertificate, authority: TestCertificate): Promise<void> {
    const version = `..${++this.#version}`;
    await mkdir(join(this.dir, version), { recursive: true });
    for (const [name, text] of Object.entries({ 'tls.crt': cert, 'tls.key': key, 'ca.crt': authority.cert })) {
      await writeFile(join(this.dir, version, name), text, { mode: 0o400 });
      if (this.#version === 1) await symlink(join('..data', name), join(this.dir, name));
    }
    await symlink(version, join(this.dir, '..next'));
    await rename(join(this.dir, '..next'), join(this.dir, '..data'));
    await rm(join(this.dir, `..${this.#version - 1}`), { recursive: true, force: true });
  }
}

/** The bar: a changed certificate is in use within 5 s. */
async function until5s(look: () => Promise<boolean>): Promise<void> {
  const endsAt = performance.now() + 5_000;
  while (!(await look())) assert.ok(performance.now() < endsAt, 'not within 5 s');
}

/** PEM of the certificate that Tollgate shows. */
async function shownBy(port: number): Promise<string> {
  const peer = AUTHORITY.issue({ uris: [ENVOY] });
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'], ...peer });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  const shown = socket.getPeerX509Certificate()!.toString();
  // So that it is no handshake that was broken off.
  await once(socket, 'data');
  socket.destroy();
  return shown;
}
