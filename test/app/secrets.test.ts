import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openSecrets, type Secrets, type SecretsOptions } from '../../src/app/secrets.ts';
import { systemClock } from '../../src/core/clock.ts';
import { newPepperText } from '../../src/identity/peppers.ts';
import { loadSettings } from '../../src/policy/bundle.ts';
import { createLog, EventLog } from '../../src/telemetry/log.ts';
import { TestAuthority } from '../support/certificates.ts';
import { tempDir } from '../support/temp.ts';

const AUTHORITY = new TestAuthority();

interface Opened {
  readonly dir: string;
  readonly secrets: Secrets;
  /** Codes of the log since the last time, with what was refused. */
  told(): string[];
  readonly reloads: string[];
}

async function opened(t: TestContext): Promise<Opened> {
  const dir = await tempDir(t);
  const own = AUTHORITY.issue({ dns: ['tollgate.svc'] });
  const files = {
    v1: newPepperText(),
    'tls.crt': own.cert,
    'tls.key': own.key,
    'ca.crt': AUTHORITY.cert,
    'tollgate.yaml':
      'peppers: {v1: v1}\ntls: {check: {cert: tls.crt, key: tls.key, client_ca: ca.crt, names: [envoy.svc]}, access_log: check}\n',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, name), text, { mode: 0o600 });
  const { settings, problems } = await loadSettings(dir);
  assert.ok(settings, JSON.stringify(problems));
  const lines: string[] = [];
  const reloads: string[] = [];
  const log = createLog({ level: 'info', stream: { write: (line: string) => void lines.push(line) } });
  const options: SecretsOptions = {
    clock: systemClock,
    events: new EventLog(log, systemClock),
    onReload: (what, outcome) => void reloads.push(`${what} ${outcome}`),
  };
  const secrets = await openSecrets(settings, options);
  return {
    dir,
    secrets,
    reloads,
    told: () => lines.splice(0).map((line) => (JSON.parse(line) as { code: string }).code),
  };
}

test('a listener that shares the files of another one does not tell their change twice', async (t) => {
  const { dir, secrets, told, reloads } = await opened(t);
  assert.ok(secrets.doors.check !== undefined && secrets.doors.accessLog !== undefined);
  assert.equal(secrets.doors.admin, undefined);
  await secrets.refresh();
  assert.deepEqual(told(), []);
  const fresh = AUTHORITY.issue({ dns: ['tollgate.svc'] });
  await writeFile(join(dir, 'tls.crt'), fresh.cert);
  await writeFile(join(dir, 'tls.key'), fresh.key);
  await secrets.refresh();
  assert.deepEqual(told(), ['tls_changed']);
  assert.deepEqual(reloads, ['tls done']);
});

test('a fault is told once, until it is another one or over', async (t) => {
  const { dir, secrets, told, reloads } = await opened(t);
  await rm(join(dir, 'v1'));
  await rm(join(dir, 'tls.key'));
  for (let look = 0; look < 4; look++) await secrets.refresh();
  assert.deepEqual(told().toSorted(), ['pepper_refused', 'tls_change_refused']);
  assert.ok(secrets.peppers.byVersion.has('v1'));
  await writeFile(join(dir, 'v1'), 'x', { mode: 0o600 });
  await secrets.refresh();
  assert.deepEqual(told(), ['pepper_refused']);
  await writeFile(join(dir, 'v1'), newPepperText(), { mode: 0o600 });
  await secrets.refresh();
  assert.deepEqual(told(), ['peppers_changed']);
  assert.deepEqual(reloads.toSorted(), ['peppers done', 'peppers refused', 'peppers refused', 'tls refused']);
});

test('other files are followed when a reload names them, and nothing is looked at after the end', async (t) => {
  const { dir, secrets, told } = await opened(t);
  await writeFile(join(dir, 'v2'), newPepperText(), { mode: 0o600 });
  await secrets.follow(new Map([['v2', join(dir, 'v2')]]));
  assert.deepEqual([secrets.peppers.newest, told()], ['v2', ['peppers_changed']]);
  t.mock.timers.enable({ apis: ['setInterval'] });
  const stop = secrets.watch();
  stop();
  await rm(join(dir, 'v2'));
  t.mock.timers.tick(60_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(told(), []);
});
