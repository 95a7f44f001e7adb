import assert from 'node:assert/strict';
import { chmod, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { digestText } from '../../src/identity/digest.ts';
import { CredentialIdentifier } from '../../src/identity/identify.ts';
import { LivePeppers, newPepperText, type PepperChange } from '../../src/identity/peppers.ts';
import type { IdentityRefusal, Principal } from '../../src/identity/principal.ts';
import { parseDigest } from '../../src/policy/digest.ts';
import type { ApiKey, Policy } from '../../src/policy/policy.ts';
import type { Scope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';
import { headersOf } from './headers.ts';

const NOTHING: PepperChange = { added: [], changed: [], gone: [], faults: new Map() };

/** A directory of peppers: writes one for a version and names it. */
async function drawer(scope: Scope) {
  const dir = await tempDir(scope);
  const file = (version: string): string => join(dir, version);
  const put = async (version: string, text = newPepperText(), mode = 0o600): Promise<void> => {
    await writeFile(`${file(version)}.new`, text);
    await chmod(`${file(version)}.new`, mode);
    await rename(`${file(version)}.new`, file(version));
  };
  const named = (...versions: string[]): ReadonlyMap<string, string> =>
    new Map(versions.map((version) => [version, file(version)]));
  return { file, put, named };
}

test('a file that changes is followed; the map is another one then, and only then', async (t) => {
  const { put, named } = await drawer(t);
  await put('v1');
  const peppers = new LivePeppers(named('v1'));
  const first = peppers.byVersion;
  assert.deepEqual(await peppers.refresh(), NOTHING);
  assert.equal(peppers.byVersion, first);
  await put('v1');
  assert.deepEqual(await peppers.refresh(), { ...NOTHING, changed: ['v1'] });
  assert.notEqual(peppers.byVersion, first);
  assert.equal(peppers.byVersion.get('v1')?.equals(first.get('v1')!), false);
});

test('two live versions: one is added, the newest is taken for new keys, the old one goes', async (t) => {
  const { put, named } = await drawer(t);
  await put('v1');
  const peppers = new LivePeppers(named('v1'));
  // Named before it is there: it comes when it comes.
  const missing = await peppers.follow(named('v1', 'v2'));
  assert.deepEqual([...missing.faults.keys()], ['v2']);
  assert.equal(peppers.newest, 'v1');
  await put('v2');
  assert.deepEqual(await peppers.refresh(), { ...NOTHING, added: ['v2'] });
  assert.equal(peppers.newest, 'v2');
  assert.deepEqual(await peppers.follow(named('v2')), { ...NOTHING, gone: ['v1'] });
  assert.deepEqual([...peppers.byVersion.keys()], ['v2']);
  assert.deepEqual(await peppers.follow(new Map()), { ...NOTHING, gone: ['v2'] });
  assert.equal(peppers.newest, undefined);
});

test('what cannot be used leaves a version as it was, and its content is not told', async (t) => {
  const { file, put, named } = await drawer(t);
  const rows: readonly [spoil: () => Promise<unknown>, found: RegExp][] = [
    [() => rm(file('v1')), /^no such file; `tollgate keys pepper FILE` makes one$/],
    [() => put('v1', ''), /^0 bytes$/],
    [() => put('v1', newPepperText().slice(0, 40)), /^40 bytes$/],
    [() => put('v1', 'hunter2!'.repeat(8)), /^something else than 64 hex digits$/],
    [() => put('v1', newPepperText(), 0o644), /^mode 0644$/],
  ];
  for (const [index, [spoil, found]] of rows.entries()) {
    await put('v1');
    const peppers = new LivePeppers(named('v1'));
    const before = peppers.byVersion;
    await spoil();
    const change = await peppers.refresh();
    assert.match(change.faults.get('v1') ?? '', found, `row ${index}`);
    assert.deepEqual({ ...change, faults: new Map() }, NOTHING);
    assert.equal(peppers.byVersion, before);
  }
});

test('looks that overlap end with the files that were named last', async (t) => {
  const { put, named } = await drawer(t);
  for (const version of ['v1', 'v2', 'v3']) await put(version);
  const peppers = new LivePeppers(named('v1'));
  await Promise.all([peppers.refresh(), peppers.follow(named('v2')), peppers.refresh(), peppers.follow(named('v3'))]);
  await peppers.refresh();
  assert.deepEqual([...peppers.byVersion.keys()], ['v3']);
});

test('what was remembered of a key goes with a change of peppers, both ways', async (t) => {
  const nowMs = Date.UTC(2026, 5, 1);
  const { put, named } = await drawer(t);
  const texts = { old: newPepperText(), other: newPepperText() };
  await put('v1', texts.old);
  const peppers = new LivePeppers(named('v1'));
  const minted = mintApiKey('prod');
  const key: ApiKey = {
    id: minted.id,
    account: 'acme',
    ...parseDigest(digestText(minted.key, peppers))!,
    kind: 'service',
    class: 'interactive',
    environment: 'prod',
    owner: 'a@acme.example',
    createdMs: nowMs - 1,
    expiresMs: nowMs + 1_000_000,
    revoked: false,
    shared: false,
  };
  const parts: Pick<Policy, 'environment' | 'keys'> = { environment: 'prod', keys: new Map([[key.id, key]]) };
  const identifier = new CredentialIdentifier(peppers);
  const ask = async (): Promise<Principal | IdentityRefusal> =>
    identifier.identify(headersOf([['x-api-key', minted.key]]), parts as Policy, nowMs);
  assert.ok('account' in (await ask()));
  await put('v1', texts.other);
  await peppers.refresh();
  assert.ok('reason' in (await ask()));
  await put('v1', texts.old);
  await peppers.refresh();
  assert.ok('account' in (await ask()));
});
