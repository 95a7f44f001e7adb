import assert from 'node:assert/strict';
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { expiryStage } from '../../src/envoy/tls-keeper.ts';
import { TestAuthority } from '../support/certificates.ts';
import { tempDir } from '../support/temp.ts';
import { doorFor, tlsFiles, writeTls } from './tls-peer.ts';

const AUTHORITY = new TestAuthority();
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

test('files that cannot be used are refused, told once, and the last good ones stay', async (t) => {
  const own = AUTHORITY.issue();
  const other = AUTHORITY.issue();
  const expired = AUTHORITY.issue({ untilMs: Date.now() - 1000 });
  type Files = Awaited<ReturnType<typeof tlsFiles>>;
  const rows: readonly [spoil: (files: Files) => Promise<unknown>, detail: RegExp][] = [
    [(files) => writeTls(files, { key: other.key }), /no private key of the certificate/],
    [(files) => writeTls(files, { cert: other.cert }), /no private key of the certificate/],
    [(files) => writeTls(files, { cert: other.cert.slice(0, 200) }), /TLS certificate .* found no certificate/],
    [(files) => writeTls(files, { key: '' }), /TLS key .* found 0 bytes/],
    [(files) => writeTls(files, { key: 'x'.repeat(300_000) }), /TLS key .* found 300000 bytes/],
    [(files) => writeTls(files, { cert: '#'.repeat(300_000) }), /TLS certificate .* one too large/],
    [(files) => chmod(files.key, 0o644), /TLS key .* found mode 0644/],
    [(files) => rm(files.key), /TLS key .* no such file/],
    [(files) => rm(files.cert), /TLS certificate .* \(ENOENT\)/],
    [(files) => writeTls(files, { ca: '' }), /TLS client_ca .* found no certificate/],
    [(files) => writeTls(files, { ca: own.cert }), /TLS client_ca .* no authority/],
    [(files) => writeTls(files, { ca: rootCertificates[0]! }), /TLS client_ca .* public web/],
    [(files) => writeTls(files, { ca: rootCertificates.join('\n') }), /TLS client_ca .* trust store/],
    [(files) => writeTls(files, expired), /has expired/],
  ];
  for (const [index, [spoil, detail]] of rows.entries()) {
    const files = await tlsFiles(t, own, AUTHORITY);
    const { keeper, events } = await doorFor(files, ['a']);
    const { version } = keeper.material;
    await spoil(files);
    // Three files that are replaced one by one do not fit each other for a moment.
    await keeper.refresh();
    assert.equal(events.length, 0, `row ${index}`);
    await keeper.refresh();
    await keeper.refresh();
    assert.equal(events.length, 1, `row ${index}`);
    const [event] = events;
    assert.ok(event?.kind === 'refused', `row ${index}`);
    assert.match(event.detail, detail, `row ${index}`);
    assert.doesNotMatch(event.detail, /BEGIN|[A-Za-z0-9+/]{60}/);
    assert.equal(keeper.material.version, version);
    await writeTls(files, { ...AUTHORITY.issue(), ca: AUTHORITY.cert });
    await keeper.refresh();
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['refused', 'changed'],
      `row ${index}`,
    );
  }
});

test('at the start they are refused at once; expired ones are taken, and told', async (t) => {
  const files = await tlsFiles(t, AUTHORITY.issue(), AUTHORITY);
  await chmod(files.key, 0o640);
  await doorFor(files, ['a']);
  await writeTls(files, { key: AUTHORITY.issue().key });
  await assert.rejects(doorFor(files, ['a']), { code: 'secret_unreadable' });
  await writeTls(files, AUTHORITY.issue({ untilMs: Date.now() - 1000 }));
  const { events } = await doorFor(files, ['a']);
  assert.deepEqual(
    events.map((event) => event.kind === 'expiry' && [event.what, event.stage]),
    [['certificate', 'expired']],
  );
});

test('a swap of symbolic links, as Kubernetes makes it, is taken', async (t) => {
  const dir = await tempDir(t);
  const mount = async (version: string, pair: { cert: string; key: string }): Promise<void> => {
    await mkdir(join(dir, version));
    await writeFile(join(dir, version, 'tls.crt'), pair.cert);
    await writeFile(join(dir, version, 'tls.key'), pair.key, { mode: 0o400 });
    await writeFile(join(dir, version, 'ca.crt'), AUTHORITY.cert);
    await symlink(version, join(dir, '..data_tmp'));
    await rename(join(dir, '..data_tmp'), join(dir, '..data'));
  };
  await mount('..1', AUTHORITY.issue());
  for (const name of ['tls.crt', 'tls.key', 'ca.crt']) await symlink(join('..data', name), join(dir, name));
  const files = { cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key'), clientCa: join(dir, 'ca.crt') };
  const { keeper, events } = await doorFor(files, ['a']);
  for (let swap = 2; swap < 12; swap++) {
    await mount(`..${swap}`, AUTHORITY.issue());
    await rm(join(dir, `..${swap - 1}`), { recursive: true });
    await keeper.refresh();
    assert.equal(events.length, swap - 1);
  }
  assert.ok(events.every(({ kind }) => kind === 'changed'));
});

test('how near the end is', () => {
  const rows: readonly [lifeMs: number, leftMs: number, stage: string | undefined][] = [
    [90 * DAY_MS, 15 * DAY_MS, undefined],
    [90 * DAY_MS, 14 * DAY_MS, 'soon'],
    [90 * DAY_MS, DAY_MS + 1, 'soon'],
    [90 * DAY_MS, DAY_MS, 'last'],
    [90 * DAY_MS, 1, 'last'],
    [90 * DAY_MS, 0, 'expired'],
    [90 * DAY_MS, -DAY_MS, 'expired'],
    [HOUR_MS, HOUR_MS, undefined],
    [HOUR_MS, HOUR_MS / 4 + 1, undefined],
    [HOUR_MS, HOUR_MS / 4, 'soon'],
    [HOUR_MS, HOUR_MS / 12, 'last'],
  ];
  for (const [index, [lifeMs, leftMs, stage]] of rows.entries())
    assert.equal(expiryStage({ fromMs: 1000 - lifeMs + leftMs, untilMs: 1000 + leftMs }, 1000), stage, `row ${index}`);
});

test('the end is told once for each stage, and anew for another certificate', async (t) => {
  let nowMs = Date.now();
  const untilMs = nowMs + 90 * DAY_MS;
  const files = await tlsFiles(t, AUTHORITY.issue({ fromMs: nowMs, untilMs }), AUTHORITY);
  const { keeper, events } = await doorFor(files, ['a'], { nowMs: () => nowMs });
  const stages = (): unknown[] =>
    events.map((event) => (event.kind === 'expiry' && event.what === 'certificate' ? event.stage : event.kind));
  const at = async (ms: number): Promise<unknown[]> => {
    nowMs = ms;
    events.length = 0;
    await keeper.refresh();
    await keeper.refresh();
    return stages().filter((each) => each !== 'expiry');
  };
  assert.deepEqual(await at(untilMs - 20 * DAY_MS), []);
  assert.deepEqual(await at(untilMs - 13 * DAY_MS), ['soon']);
  assert.deepEqual(await at(untilMs - 12 * DAY_MS), []);
  assert.deepEqual(await at(untilMs - HOUR_MS), ['last']);
  assert.deepEqual(await at(untilMs), ['expired']);
  await writeTls(files, AUTHORITY.issue({ fromMs: nowMs, untilMs: nowMs + 90 * DAY_MS }));
  assert.deepEqual(await at(untilMs), ['changed']);
  assert.deepEqual(await at(untilMs + 77 * DAY_MS), ['soon']);
});
