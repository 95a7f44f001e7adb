/** A pepper is rotated beside the one that is in use, while Tollgate serves. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ONE_CUSTOMER, plansWith, trafficWith } from '../support/bundles.ts';
import { needEnvoy } from '../support/envoy.ts';
import { send } from '../support/http.ts';
import { fileScope } from '../support/scope.ts';
import { stackFor } from '../support/tollgate.ts';
import { until } from '../support/until.ts';

const need = await needEnvoy();

describe('two live versions of the pepper', need, async () => {
  if (need.skip !== false) return;
  const scope = fileScope();
  const stack = await stackFor(scope, {
    files: {
      'plans.yaml': plansWith(),
      'accounts/acme.yaml': ONE_CUSTOMER,
      'accounts/globex.yaml': undefined,
      'traffic.yaml': trafficWith({}),
    },
    callers: { old: { account: 'acme' } },
  });
  const statusOf = async (key: string): Promise<number> => {
    const { status } = await send({
      url: stack.url,
      path: '/v1/chat/completions',
      headers: { authorization: `Bearer ${key}` },
      body: { model: 'gpt-5-mini', messages: [{ role: 'user', content: 'hello' }], max_tokens: 50 },
    });
    return status;
  };

  test('a key under the new one is served without a restart, and those under the old one stay', async () => {
    const settings = join(stack.bundle, 'tollgate.yaml');
    assert.equal(await statusOf(stack.key.old), 200);
    const made = await stack.cli(['keys', 'pepper', join(stack.bundle, '../pepper-v2')]);
    assert.equal(made.code, 0, made.stderr);
    const text = await readFile(settings, 'utf8');
    await writeFile(settings, text.replace('{v1: ../pepper-v1}', '{v1: ../pepper-v1, v2: ../pepper-v2}'));
    const created = await stack.cli([
      ...['keys', 'create', '--config', stack.bundle, '--account', 'acme', '--class', 'interactive'],
      ...['--kind', 'service', '--owner', 'test@acme.example', '--expires', '30d'],
    ]);
    assert.equal(created.code, 0, created.stderr);
    assert.match(await readFile(join(stack.bundle, 'keys', 'acme.yaml'), 'utf8'), /hmac-sha256:v2:/);
    const fresh = created.stdout.trim();
    await until('the new key is served', async () => (await statusOf(fresh)) === 200, {
      withinMs: 20_000,
      everyMs: 200,
    });
    assert.equal(await statusOf(stack.key.old), 200);
    await stack.tollgate().line(/"added":\["v2"\].*"code":"peppers_changed"/);
  });

  test('once the old one is no longer named its keys are nobody', async () => {
    const settings = join(stack.bundle, 'tollgate.yaml');
    const text = await readFile(settings, 'utf8');
    await writeFile(settings, text.replace('v1: ../pepper-v1, ', ''));
    await until('the old key is refused', async () => (await statusOf(stack.key.old)) === 401, {
      withinMs: 20_000,
      everyMs: 200,
    });
  });
});
