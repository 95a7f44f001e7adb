import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { problemOf } from '../../src/admin/problem.ts';
import { createKey, type Registry } from '../../src/identity/key-registry.ts';
import { peppersOf } from '../../src/identity/peppers.ts';
import { openValidity, spendOf } from '../../src/limits/spend.ts';
import { holdOf, refusalOf } from '../ledger/rows.ts';
import { fileScope } from '../support/scope.ts';
import { until } from '../support/until.ts';
import { type AdminRig, adminFor, TOKENS } from './rig.ts';

const scope = fileScope();
let rig: AdminRig;
before(async () => {
  rig = await adminFor(scope);
});

const json = (text: string) => JSON.parse(text);
const KEY = { account: 'acme/search', class: 'interactive', kind: 'service', owner: 'search@acme.example' };
const change = (path: string, body: object = {}) => ({ path, method: 'POST', body });

test('liveness says that the loop turns; readiness says what is missing, and which policy is in force', async (t) => {
  const own = await adminFor(t, { roles: [] });
  assert.deepEqual(json((await own.ask(undefined, { path: '/livez' })).text), { live: true });
  const ready = await own.ask(undefined, { path: '/readyz' });
  assert.deepEqual(
    [ready.status, json(ready.text)],
    [200, { ready: true, reasons: [], policy_version: own.policy().version }],
  );
  own.lifecycle.enter('draining');
  const draining = await own.ask(undefined, { path: '/readyz' });
  assert.deepEqual([draining.status, json(draining.text).reasons], [503, ['the process is ending']]);
  assert.equal((await own.ask(undefined, { path: '/livez' })).status, 200);
  assert.deepEqual(json((await own.ask(undefined, { path: '/version' })).text), { version: '0.0.0-test' });
});

test('HEAD is GET without a body; another method is told which there are', async () => {
  const head = await rig.ask('viewer', { path: '/v1/policy', method: 'HEAD' });
  assert.deepEqual([head.status, head.text], [200, '']);
  const put = await rig.ask('viewer', { path: '/v1/policy', method: 'PUT', body: {} });
  assert.deepEqual([put.status, put.headers.allow, json(put.text).code], [405, 'GET, HEAD', 'method_wrong']);
});

test('an account shows its plan, and each limit with what is spent and held, and when it resets', async () => {
  const bound = rig.policy().account('acme/search')!.limits;
  const [spend, flight] = ['monthly-spend', 'in-flight'].map((name) => {
    const limit = bound.find((each) => each.limit.name === name)!;
    const partition = limit.limit.each === 'customer' ? 'acme' : '';
    const input = { partition, nowMs: Date.now(), classes: ['interactive'], yieldsAt: undefined, observe: false };
    return spendOf(limit, { ...input, amount: limit.limit.unit === 'charge' ? 1_000 : 1 }, openValidity());
  });
  const now = Date.now();
  const ask = { id: 'one', mintedAt: now, expiresAt: now + 60_000, customer: 'acme', from: 0, until: now + 60_000 };
  assert.equal(rig.store.reserve({ ...ask, candidates: [[spend!, flight!]] }).outcome, 'admitted');
  const answer = await rig.ask('finance', { path: '/v1/accounts/acme/search' });
  const account = json(answer.text);
  assert.deepEqual(
    [account.account, account.customer, account.plan, account.declared, account.currency],
    ['acme/search', 'acme', 'growth', true, { code: 'USD', decimals: rig.policy().prices.decimals }],
  );
  const limits = new Map(account.limits.map((each: { limit: string }) => [each.limit, each]));
  const { counters, ...monthly } = limits.get('monthly-spend') as { counters: Record<string, unknown>[] };
  assert.deepEqual(monthly, {
    limit: 'monthly-spend',
    owner: 'acme',
    unit: 'charge',
    kind: 'window',
    enforce: 'on',
    more: 0,
  });
  const { resets_at, ...counter } = counters[0]!;
  assert.deepEqual(counter, { partition: '', max: spend!.ceiling, used: 1000, held: 1000, spent: 0 });
  assert.equal(resets_at, new Date(spend!.end!).toISOString());
  const slots = limits.get('in-flight') as { counters: { used: number; partition: string }[] };
  assert.deepEqual([slots.counters[0]!.used, slots.counters[0]!.partition], [1, 'acme']);
  const same = json((await rig.ask('viewer', { path: '/v1/limits?account=acme/search' })).text);
  assert.deepEqual(same.limits, account.limits);
  for (const path of [
    '/v1/accounts/nobody',
    '/v1/limits?account=nobody',
    '/v1/accounts/constructor',
    '/v1/accounts/__proto__',
  ]) {
    assert.equal((await rig.ask('viewer', { path })).status, path.includes('__proto__') ? 404 : 404, path);
  }
});

test('a look at limits changes no counter', async () => {
  const before = rig.store.counts();
  await rig.ask('viewer', { path: '/v1/accounts/acme/search/of/no/entry' });
  await rig.ask('viewer', { path: '/v1/limits?account=acme' });
  assert.deepEqual(rig.store.counts(), before);
});

test('A12: lists come in pages, all of them bounded', async (t) => {
  const accounts = Array.from(
    { length: 450 },
    (_, at) => `acme/t${String(at).padStart(3, '0')}: {owner: t@acme.example}`,
  );
  const many = await adminFor(t, { files: { 'accounts/more.yaml': `${accounts.join('\n')}\n` } });
  const seen: string[] = [];
  let next: string | undefined = '';
  while (next !== undefined) {
    const after: string = next === '' ? '' : `&after=${next}`;
    const page = json((await many.ask('viewer', { path: `/v1/accounts?limit=200${after}` })).text);
    assert.ok(page.entries.length <= 200);
    seen.push(...page.entries.map(({ account }: { account: string }) => account));
    next = page.next;
  }
  assert.deepEqual(seen, [...many.policy().declaredAccounts()].toSorted());
  assert.equal(json((await many.ask('viewer', { path: '/v1/accounts' })).text).entries.length, 50);
  for (const query of ['limit=0', 'limit=201', 'limit=9999', 'limit=x', 'limit=1&limit=2', 'offset=1', 'after=']) {
    assert.equal((await many.ask('viewer', { path: `/v1/accounts?${query}` })).status, 400, query);
  }
});

test('A12: decisions come the newest first, of an account and all below it, page by page, and each one explained', async () => {
  const nowMs = Date.now();
  const holds = Array.from({ length: 7 }, (_, at) =>
    holdOf(rig.ledger.id, { decidedAtMs: nowMs - at * 1000, account: at % 2 === 0 ? 'acme/search' : 'acme/searching' }),
  );
  for (const hold of holds) assert.ok(rig.ledger.hold(hold));
  const refusal = refusalOf(rig.ledger.id, { decidedAtMs: nowMs + 1 });
  rig.ledger.refuse(refusal);
  await rig.ledger.flush();
  const pages: { id: string; outcome: string }[][] = [];
  let next: string | undefined;
  do {
    const after: string = next === undefined ? '' : `&after=${next}`;
    const page = json((await rig.ask('viewer', { path: `/v1/decisions?limit=3${after}` })).text);
    pages.push(page.entries);
    next = page.next;
  } while (next !== undefined);
  assert.deepEqual(
    pages.map((page) => page.length),
    [3, 3, 2],
  );
  assert.deepEqual(
    pages.flat().map(({ id }) => id),
    [refusal.decisionId, ...holds.map(({ decisionId }) => decisionId)],
  );
  const own = json((await rig.ask('viewer', { path: '/v1/decisions?account=acme/searching' })).text);
  assert.equal(own.entries.length, 3);
  const since = new Date(nowMs).toISOString();
  assert.equal(json((await rig.ask('viewer', { path: `/v1/decisions?since=${since}` })).text).entries.length, 2);
  const explained = json((await rig.ask('viewer', { path: `/v1/decisions/${holds[0]!.decisionId}` })).text);
  assert.deepEqual([explained.outcome, explained.facts.account], ['allow', 'acme/search']);
  for (const path of ['/v1/decisions/x', `/v1/decisions/${holds[0]!.decisionId.replace(/.$/, 'x')}`]) {
    assert.equal((await rig.ask('viewer', { path })).status, 404);
  }
  for (const query of ['after=x', 'since=yesterday', 'since=2026-02-30']) {
    assert.equal((await rig.ask('viewer', { path: `/v1/decisions?${query}` })).status, 400, query);
  }
});

test('security makes a key: shown once, in the bundle as a digest, in force, and on record', async (t) => {
  const own = await adminFor(t);
  const made = await own.ask('security', change('/v1/keys', { ...KEY, expires: '30d' }));
  assert.equal(made.status, 201, made.text);
  const { key, id, live } = json(made.text);
  assert.match(key, /^tg_prod_k[a-z2-7]{11}_[0-9A-Za-z]{36}$/);
  assert.deepEqual([key.split('_')[2], live], [id, true]);
  const secret = key.split('_')[3];
  const file = readFileSync(join(own.dir, 'keys/acme.yaml'), 'utf8');
  assert.ok(file.includes(id) && !file.includes(secret));
  const listed = json((await own.ask('platform', { path: '/v1/keys?account=acme/search' })).text).entries;
  const row = listed.find((each: { id: string }) => each.id === id);
  const idsOf = async (account: string) =>
    json((await own.ask('platform', { path: `/v1/keys?account=${account}` })).text).entries.map(
      (each: { id: string }) => each.id,
    );
  assert.ok((await idsOf('acme')).includes(id), 'the customer has the keys of all its accounts');
  assert.ok(!(await idsOf('acme/sear')).includes(id));
  assert.deepEqual([row.owner, row.class, row.state, row.revoked], [KEY.owner, 'interactive', 'active', false]);
  assert.deepEqual(
    Object.keys(row).filter((name) => /digest|secret|pepper/.test(name)),
    [],
  );

  const revoked = await own.ask('security', change(`/v1/keys/${id}/revoke`));
  assert.deepEqual([revoked.status, json(revoked.text)], [200, { id, outcome: 'revoked', live: true }]);
  assert.equal(own.policy().keys.get(id)?.revoked, true);
  assert.equal(json((await own.ask('security', change(`/v1/keys/${id}/revoke`))).text).outcome, 'already');

  const [create, revoke] = own.records();
  assert.deepEqual(
    [create!.verb, create!.role, create!.object, create!.outcome, create!.who],
    ['key_create', 'security', id, 'done', revoke!.who],
  );
  assert.match(create!.who, /^token:[0-9a-f]{8}$/);
  assert.deepEqual(
    [revoke!.verb, revoke!.before, revoke!.after],
    ['key_revoke', { revoked: false }, { revoked: true }],
  );
  const kept = JSON.stringify(own.records()) + own.log();
  assert.ok(!kept.includes(secret) && !/hmac-sha256:v1:[A-Za-z0-9+/=_-]{16}/.test(kept));
});

const WRONG_KEYS: readonly [what: string, body: object | string, status: number][] = [
  ['no JSON', '{', 400],
  ['a list', [], 400],
  ['nothing', {}, 400],
  ['a word too many', { ...KEY, admin: true }, 400],
  ['an account of nobody', { ...KEY, account: 'evil' }, 400],
  ['a path', { ...KEY, account: '../../etc/cron.d/x' }, 400],
  ['a class of nobody', { ...KEY, class: 'royal' }, 400],
  ['a kind of nobody', { ...KEY, kind: 'god' }, 400],
  ['a day beyond age_max', { ...KEY, expires: '9999d' }, 400],
  ['an environment that is none', { ...KEY, environment: '../x' }, 400],
];
for (const [what, body, status] of WRONG_KEYS) {
  test(`a key for ${what} is told ${status}, and no file is made`, async () => {
    const answer = await rig.ask('security', { path: '/v1/keys', method: 'POST', body });
    assert.equal(answer.status, status, answer.text);
    assert.ok(!existsSync(join(rig.dir, 'keys/acme.yaml')));
  });
}

test('a whole key where an id should be is not repeated', async () => {
  const answer = await rig.ask('security', change('/v1/keys/tg_prod_k7f3q2abcdef_CANARY/revoke'));
  assert.equal(answer.status, 400);
  assert.ok(!(answer.text + rig.log()).includes('CANARY'));
});

test('a bundle that cannot be written here is told 409, with what to do', {
  skip: process.platform !== 'linux',
}, async () => {
  // Modes do not bind root; nobody makes a directory here.
  const registry: Registry = {
    dir: '/sys',
    audit: { append: async () => {} },
    actor: { who: 'test', role: 'security' },
    policyVersion: undefined,
  };
  const peppers = peppersOf(new Map([['v1', join(rig.dir, 'pepper')]]));
  const asked = { ...KEY, expires: undefined, environment: undefined };
  const made = createKey(asked, { policy: rig.policy(), peppers, nowMs: Date.now() }, registry);
  const error: unknown = await made.catch((cause: unknown) => cause);
  const { status, code, detail } = problemOf(error);
  assert.deepEqual([status, code], [409, 'conflict']);
  assert.match(detail, /^`\/sys\/keys` cannot be written here .* where the bundle is kept, and publish it$/);
});

test('without a record there is no key; a revocation is not held up', async (t) => {
  const own = await adminFor(t, { settings: 'audit: {path: records/audit.db}\n' });
  const made = json((await own.ask('security', change('/v1/keys', KEY))).text);
  await rm(join(own.dir, 'records'), { recursive: true });
  await writeFile(join(own.dir, 'records'), 'a file, where a directory should be');
  const refused = await own.ask('security', change('/v1/keys', KEY));
  assert.deepEqual([refused.status, json(refused.text).code], [503, 'unavailable']);
  assert.match(own.log(), /"code":"audit_failed"/);
  await own.ask('platform', change('/v1/policy/reload'));
  const others = [...own.policy().keys.values()].filter(({ id, account }) => account === KEY.account && id !== made.id);
  assert.ok(others.every(({ revoked, createdMs }) => revoked || createdMs < Date.now() - 86_400_000));
  const revoked = await own.ask('security', change(`/v1/keys/${made.id}/revoke`));
  assert.deepEqual([revoked.status, json(revoked.text).outcome], [200, 'revoked']);
  assert.equal((await own.ask('platform', change('/v1/policy/reload'))).status, 200);
});

test('a reload says what came of it, and leaves a record, refused or not', async (t) => {
  const own = await adminFor(t);
  const first = own.policy().version;
  const traffic = readFileSync(join(own.dir, 'traffic.yaml'), 'utf8');
  await writeFile(join(own.dir, 'traffic.yaml'), traffic.replace('burst: 40', 'burst: 41'));
  const loaded = await own.ask('platform', change('/v1/policy/reload'));
  assert.deepEqual([loaded.status, json(loaded.text).outcome], [200, 'loaded']);
  await writeFile(join(own.dir, 'traffic.yaml'), traffic.replace('burst: 40', 'burst: none'));
  const refused = await own.ask('security', change('/v1/policy/reload'));
  assert.deepEqual([refused.status, json(refused.text).outcome], [409, 'refused']);
  const shown = json((await own.ask('viewer', { path: '/v1/policy' })).text);
  assert.equal(shown.version, own.policy().version);
  assert.match(shown.refused.problems[0], /^traffic\.yaml:/);
  const records = own.records();
  assert.deepEqual(
    records.map(({ verb, role, outcome, before }) => [verb, role, outcome, before]),
    [
      ['policy_reload', 'platform', 'done', { version: first }],
      ['policy_reload', 'security', 'refused', { version: own.policy().version }],
    ],
  );
  const listed = json((await own.ask('finance', { path: '/v1/audit?verb=policy_reload&limit=1' })).text);
  assert.deepEqual([listed.entries[0].role, listed.next], ['security', '2']);
});

test('A6: the configuration in force has paths of secrets, and eight digits of a hash where there is a token', async () => {
  const { text } = await rig.ask('platform', { path: '/v1/config' });
  const config = json(text);
  assert.deepEqual(config.peppers, { v1: join(rig.dir, 'pepper') });
  assert.match(config.admin.roles.security.tokens[0], /^sha256:[0-9a-f]{8}$/);
  const pepper = readFileSync(join(rig.dir, 'pepper'), 'utf8').trim();
  for (const secret of [pepper, ...Object.values(TOKENS)]) assert.ok(!text.includes(secret));
});

test('K8: no secret stands in any answer, log line or record', async (t) => {
  const own = await adminFor(t);
  const { key } = json((await own.ask('security', change('/v1/keys', KEY))).text);
  const secrets = [
    key.split('_')[3],
    readFileSync(join(own.dir, 'pepper'), 'utf8').trim(),
    ...Object.values(TOKENS),
    ...[...own.policy().keys.values()].map(({ digest }) => Buffer.from(digest).toString('base64url')),
  ];
  const paths = ['/livez', '/readyz', '/version', '/metrics', '/v1/policy', '/v1/config', '/v1/accounts', '/v1/audit'];
  let said = own.log() + JSON.stringify(own.records());
  for (const path of [
    ...paths,
    '/v1/accounts/acme/search',
    '/v1/limits?account=acme',
    '/v1/decisions',
    '/v1/keys',
    '/none',
  ]) {
    for (const role of [undefined, 'security', 'platform', 'metrics'] as const) {
      const { text, headers } = await own.ask(role, { path });
      said += text + JSON.stringify(headers);
    }
  }
  for (const [index, secret] of secrets.entries()) assert.ok(!said.includes(secret), `secret ${index}`);
});

test('a token file is read anew: two are live while one takes the other’s place, and none once it is gone', async (t) => {
  const own = await adminFor(t, { roles: ['viewer'] });
  const status = async (token: string) =>
    (await own.ask(undefined, { path: '/v1/policy', headers: { authorization: `Bearer ${token}` } })).status;
  const fresh = 'n'.repeat(40);
  const draft = join(own.dir, '.draft');
  await writeFile(draft, `${fresh}\n${TOKENS.viewer}\n`, { mode: 0o600 });
  await rename(draft, join(own.dir, 'viewer'));
  await until('the new one', async () => (await status(fresh)) === 200, { everyMs: 300 });
  assert.equal(await status(TOKENS.viewer), 200);
  await rm(join(own.dir, 'viewer'));
  await until('nobody', async () => (await status(fresh)) === 401, { everyMs: 300 });
  assert.match(own.log(), /"code":"admin_role_closed"/);
  await mkdir(join(own.dir, 'viewer'));
});

test('a pipe in the place of a token file holds up nobody, and a file that is open to others proves nobody', async (t) => {
  const own = await adminFor(t, { roles: ['viewer'] });
  const file = join(own.dir, 'viewer');
  const status = async () => (await own.ask('viewer', { path: '/v1/policy' })).status;
  await rm(file);
  await promisify(execFile)('mkfifo', ['-m', '600', file]);
  await until('nobody', async () => (await status()) === 401, { everyMs: 300 });
  assert.match(own.log(), /"found":"found no file"/);
  await rm(file);
  await writeFile(file, TOKENS.viewer, { mode: 0o600 });
  await until('in again', async () => (await status()) === 200, { everyMs: 300 });
  await chmod(file, 0o644);
  await until('nobody again', async () => (await status()) === 401, { everyMs: 300 });
  assert.match(own.log(), /"found":"found mode 0644"/);
});
