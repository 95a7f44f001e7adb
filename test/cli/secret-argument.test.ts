import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuseSecretArguments } from '../../src/cli/secret-argument.ts';
import { mintApiKey } from '../../src/identity/api-key.ts';
import { newPepperText } from '../../src/identity/peppers.ts';
import { runCli } from '../support/process.ts';

const { key, id } = mintApiKey('prod');
const PEPPER = newPepperText().trim();
const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';
const SECRETS = [key, key.slice(0, -4), PEPPER, TOKEN, 'https://user:hunter2@collector.internal', `Bearer ${PEPPER}`];

test('A11: a secret as an argument is refused, wherever it stands, and not repeated', () => {
  for (const [index, secret] of SECRETS.entries()) {
    for (const argv of [
      [secret],
      ['keys', 'revoke', secret],
      ['explain', `--key=${secret}`],
      ['x', '--token', secret],
    ]) {
      assert.throws(
        () => refuseSecretArguments(argv),
        (error: Error & { code?: unknown }) => error.code === 'usage' && !error.message.includes(secret),
        `row ${index}`,
      );
    }
  }
});

test('A11: ids, files, days and addresses are no secrets', () => {
  const rows = [
    ['explain', 'xaaq2c7b-019ab4c2-7f00-7abc-8def-0123456789ab', '--config', './bundle'],
    ['explain', '--key', id, '--route', 'chat', '--model', 'gpt-5', '--max-tokens', '500', '--json'],
    ['keys', 'pepper', `/etc/tollgate/${'a'.repeat(64)}`],
    ['keys', 'create', '--owner', 'search@acme.example', '--expires', '90d', '--account', 'acme/search'],
    ['health', '--admin', 'unix:/run/tollgate/admin.sock'],
    ['audit', '--head', `12:${'0f'.repeat(32)}`],
  ];
  for (const argv of rows) refuseSecretArguments(argv);
});

test('A11: every command refuses it before it does anything', async (t) => {
  const answers = await Promise.all([
    runCli(t, ['keys', 'revoke', key, '--config', '/nowhere']),
    runCli(t, ['keys', 'pepper', PEPPER]),
    runCli(t, ['health', '--token', TOKEN]),
  ]);
  for (const [index, { code, stdout, stderr }] of answers.entries()) {
    assert.equal(code, 2, `row ${index}: ${stderr}`);
    assert.equal(stdout, '');
    assert.match(stderr, /^tollgate: expected .*, found a (?:whole key|secret, which the process list shows)\n$/);
  }
});
