/** What every command says to a call that is off, and to one that asks for help. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ROOT, runCli } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';

const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

describe('wrong usage, and help', { concurrency: 3 }, () => {
  const scope = fileScope();
  const NONE = '/no/such/place';
  const LEDGER = 'package.json';

  for (const { args, code, stderr } of [
    { args: [], code: 2, stderr: /^Usage: tollgate / },
    { args: ['frob'], code: 2, stderr: /^error: unknown command 'frob'/ },
    { args: ['serve'], code: 2, stderr: /^error: required option '--config <dir>' not specified/ },
    { args: ['serve', '--config', NONE, '--frob'], code: 2, stderr: /^error: unknown option '--frob'/ },
    {
      args: ['serve', '--config', NONE],
      code: 1,
      stderr: /cannot be read \(ENOENT\).*\ntollgate: bundle `\/no\/such\/place` has problems/,
    },
    { args: ['check'], code: 2, stderr: /^error: missing required argument 'dir'/ },
    { args: ['check', NONE, '--frob'], code: 2, stderr: /^error: unknown option '--frob'/ },
    { args: ['report'], code: 2, stderr: /^tollgate: exactly one of `--ledger FILE` and `--config DIR` is needed\n$/ },
    { args: ['report', '--ledger', LEDGER, '--config', NONE], code: 2, stderr: /^tollgate: exactly one of / },
    {
      args: ['report', '--ledger', NONE],
      code: 1,
      stderr: /^tollgate: there is no ledger at `\/no\/such\/place`; `tollgate serve` creates it\n$/,
    },
    { args: ['report', '--ledger', LEDGER], code: 1, stderr: /^tollgate: ledger `package\.json` cannot be read\n$/ },
    { args: ['report', '--ledger', LEDGER, '--frob'], code: 2, stderr: /^error: unknown option '--frob'/ },
    {
      args: ['report', '--ledger', LEDGER, '--by', 'colour'],
      code: 2,
      stderr: /^tollgate: `--by` takes a list of .*; got `colour`\n$/,
    },
    {
      args: ['report', '--ledger', LEDGER, '--from', '2026-02-30'],
      code: 2,
      stderr: /^tollgate: `--from` takes a date, as `2026-01-31`; got `2026-02-30`\n$/,
    },
    {
      args: ['report', '--ledger', LEDGER, '--zone', 'Mars/Base'],
      code: 2,
      stderr: /^tollgate: `--zone` takes an IANA time zone, as `Europe\/Berlin`; got `Mars\/Base`\n$/,
    },
    {
      args: ['report', '--ledger', LEDGER, '--format', 'xml'],
      code: 2,
      stderr: /Allowed choices are table, csv, json/,
    },
    {
      args: ['report', '--ledger', LEDGER, '--format', 'csv', '--json'],
      code: 2,
      stderr: /^error: option '--json' cannot be used with option '--format <format>'/,
    },
    {
      args: ['report', '--ledger', LEDGER, '--account', 'acme/**'],
      code: 2,
      stderr: /^tollgate: `--account` takes a path like `acme\/search`, with all below it; got `acme\/\*\*`\n$/,
    },
    { args: ['census'], code: 2, stderr: /^tollgate: exactly one of `--ledger FILE` and `--config DIR` is needed\n$/ },
    { args: ['census', '--ledger', LEDGER, '--config', NONE], code: 2, stderr: /^tollgate: exactly one of / },
    { args: ['census', '--config', NONE], code: 1, stderr: /^tollgate: there is no ledger at / },
    { args: ['census', '--ledger', NONE, '--frob'], code: 2, stderr: /^error: unknown option '--frob'/ },
    {
      args: ['explain'],
      code: 2,
      stderr: /^tollgate: a decision id, or `--key`, `--route` and `--config` are needed\n$/,
    },
    { args: ['explain', 'x', '--ledger', LEDGER, '--config', NONE], code: 2, stderr: /^tollgate: exactly one of / },
    { args: ['explain', 'x', '--ledger', NONE], code: 1, stderr: /^tollgate: there is no ledger at / },
    { args: ['explain', '--frob'], code: 2, stderr: /^error: unknown option '--frob'/ },
    {
      args: ['explain', '--key', 'x', '--ledger', LEDGER],
      code: 2,
      stderr: /^error: option '--ledger <file>' cannot be used with option '--key <id>'/,
    },
    {
      args: ['explain', '--key', 'x', '--body', LEDGER, '--max-tokens', '5'],
      code: 2,
      stderr: /^error: option '--body <file>' cannot be used with option '--max-tokens <n>'/,
    },
    {
      args: ['explain', '--key', 'x', '--route', 'x', '--config', NONE],
      code: 1,
      stderr: /^tollgate: bundle `.* has problems/,
    },
    {
      args: ['explain', '--key', 'tg_prod_k7f3q2abcdef_x', '--route', 'x', '--config', NONE],
      code: 2,
      stderr: /^tollgate: expected a public id like `k7f3q2abcdef`, the third part of a key, found a whole key\n$/,
    },
    {
      args: ['explain', 'tg_prod_k7f3q2abcdef_x', '--ledger', LEDGER],
      code: 2,
      stderr: /^tollgate: expected a public id like .* found a whole key\n$/,
    },
    { args: ['keys'], code: 2, stderr: /^Usage: tollgate keys / },
    {
      args: ['keys', 'create', '--config', NONE],
      code: 2,
      stderr: /^error: required option '--account <path>' not specified/,
    },
    { args: ['keys', 'list'], code: 2, stderr: /^error: required option '--config <dir>' not specified/ },
    {
      args: ['keys', 'list', '--config', NONE],
      code: 1,
      stderr: /^tollgate: bundle `\/no\/such\/place` has problems; `tollgate check \/no\/such\/place` shows them\n$/,
    },
    { args: ['keys', 'revoke', '--config', NONE], code: 2, stderr: /^error: missing required argument 'id'/ },
    {
      args: ['keys', 'revoke', 'ID', '--config', NONE],
      code: 2,
      stderr: /^tollgate: expected a public id like `k7f3q2abcdef`\n$/,
    },
    {
      args: ['keys', 'pepper', LEDGER],
      code: 1,
      stderr: /^tollgate: `package\.json` exists, and all keys under it would be lost\n$/,
    },
  ]) {
    test(`tollgate ${args.join(' ')}: exit ${code}`, async () => {
      const ended = await runCli(scope, args);
      assert.equal(ended.code, code);
      assert.match(ended.stderr, stderr);
      assert.equal(ended.stdout, '');
    });
  }

  test('tollgate --version: that of package.json', async () => {
    const { code, stdout, stderr } = await runCli(scope, ['--version']);
    assert.deepEqual([code, stdout, stderr], [0, `${VERSION}\n`, '']);
  });

  for (const command of [
    '',
    'serve',
    'check',
    'diff',
    'report',
    'explain',
    'census',
    'keys',
    'keys create',
    'keys list',
    'keys revoke',
    'keys pepper',
  ]) {
    test(`tollgate ${command} --help: what it does, with an example`, async () => {
      const { code, stdout, stderr } = await runCli(scope, [...command.split(' ').filter(Boolean), '--help']);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /^Usage: tollgate /);
      assert.match(stdout, new RegExp(`\\nExamples?:\\n +(\\$ )?tollgate ${command}`));
    });
  }
});
