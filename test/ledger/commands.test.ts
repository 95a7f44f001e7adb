import assert from 'node:assert/strict';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { Command } from 'commander';
import { censusCommand } from '../../src/cli/census.ts';
import { reportCommand } from '../../src/cli/report.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite-ledger.ts';
import { ROOT, spawnNode } from '../support/process.ts';
import { fileScope } from '../support/scope.ts';
import { tempDir } from '../support/temp.ts';
import { endOf, holdOf, NOON_MS, refusalOf } from './rows.ts';

const CHILD = join(import.meta.dirname, 'command-child.ts');
const scope = fileScope();
let bundle = '';
let file = '';

before(async () => {
  bundle = join(await tempDir(scope), 'bundle');
  await cp(join(ROOT, 'test/testdata/bundles/example'), bundle, { recursive: true });
  await writeFile(join(bundle, 'tollgate.yaml'), 'ledger: {path: money/book.db}\n');
  const broken = join(bundle, '../broken');
  await mkdir(broken);
  await writeFile(join(broken, 'tollgate.yaml'), 'ledger: {paht: book.db}\n');
  file = join(bundle, 'money/book.db');
  // Stays open: reports are read while `serve` writes.
  const ledger = await openSqliteLedger({ file });
  scope.after(() => ledger.close());
  await ledger.keepPrices('fedcba9876543210', { currency: 'USD', decimals: 9 });
  const hold = holdOf(ledger.id);
  ledger.hold(hold);
  ledger.end(endOf(hold));
  ledger.hold(holdOf(ledger.id, { decidedAtMs: NOON_MS + 86_400_000, expiresAtMs: 9e15 }));
  for (let times = 0; times < 3; times += 1) ledger.refuse(refusalOf(ledger.id));
  await ledger.flush();
});

function filled(arg: string): string {
  return arg.replace('FILE', file).replace('DIR', bundle);
}

async function run(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawnNode(scope, [CHILD, ...args.map(filled)]);
  const { code } = await child.ended;
  return { code, stdout: child.stdout(), stderr: child.stderr() };
}

describe('report and census', { concurrency: 2 }, () => {
  test('the default view: account, model, token class', async () => {
    const { code, stdout } = await run('report', '--ledger', 'FILE');
    assert.equal(code, 0);
    assert.equal(
      stdout,
      `account      model  meter   requests  quantity    charge      cost    margin  currency
-----------  -----  ------  --------  --------  --------  --------  --------  --------
acme/search  gpt-5  -              1         0  0.000000  0.000000  0.000000  USD
acme/search  gpt-5  input          1       100  0.000125  0.000100  0.000025  USD
acme/search  gpt-5  output         1        50  0.000500  0.000400  0.000100  USD
-----------  -----  ------  --------  --------  --------  --------  --------  --------
total                              2            0.000625  0.000500  0.000125  USD

1 of the requests has not ended yet and has no amounts
`,
    );
  });

  test('the ledger that tollgate.yaml names; days; CSV; JSON by both names; refusals', async () => {
    const [csv, json, alias, refusals] = await Promise.all([
      run('report', '--config', 'DIR', '--by', 'day', '--from', '2026-01-15', '--to', '2026-01-15', '--format', 'csv'),
      run('report', '--config', 'DIR', '--account', 'acme', '--format', 'json'),
      run('report', '--config', 'DIR', '--account', 'acme', '--json'),
      run('report', '--config', 'DIR', '--refusals', '--format', 'csv'),
    ]);
    assert.deepEqual([csv.code, json.code, alias.code, refusals.code], [0, 0, 0, 0]);
    assert.equal(csv.stdout.split('\r\n')[1], '2026-01-15,1,100,0,0,0,50,0,0.000625000,0.000500000,0.000125000,USD');
    assert.equal(csv.stdout.split('\r\n').length, 3);
    assert.equal(alias.stdout, json.stdout);
    assert.equal((JSON.parse(json.stdout) as { totals: { charge: string }[] }).totals[0]?.charge, '0.000625000');
    assert.equal(refusals.stdout.split('\r\n')[1], 'acme/search,gpt-5,rate_limited,key-burst,3');
  });

  test('the census, for people and programs', async () => {
    const [text, json] = await Promise.all([
      run('census', '--ledger', 'FILE'),
      run('census', '--ledger', 'FILE', '--json'),
    ]);
    assert.equal(text.code, 0);
    assert.match(text.stdout, /^admitted +2$/m);
    assert.match(text.stdout, /^the census closes$/m);
    assert.equal((JSON.parse(json.stdout) as { closes: boolean }).closes, true);
  });

  const BAD: readonly [args: string[], code: string, words: RegExp][] = [
    [['report'], 'usage', /exactly one of `--ledger FILE` and `--config DIR` is needed/],
    [['report', '--ledger', 'FILE', '--config', 'DIR'], 'usage', /exactly one of/],
    [['report', '--ledger', 'FILE', '--by', 'weekday'], 'usage', /got `weekday`/],
    [['report', '--ledger', 'FILE', '--format', 'xml'], 'commander.invalidArgument', /xml/],
    [['report', '--ledger', 'FILE', '--from', 'x'], 'usage', /takes a date/],
    [['report', '--ledger', 'FILE', '--nope'], 'commander.unknownOption', /unknown option/],
    [['report', '--ledger', 'FILE.none'], 'ledger_unavailable', /there is no ledger at/],
    [['census', '--config', 'DIR/none'], 'ledger_unavailable', /there is no ledger at `.*none/],
    [['census', '--config', 'DIR/../broken'], 'settings_invalid', /`.*broken` has problems; `tollgate check .*broken`/],
  ];
  for (const [index, [args, code, message]] of BAD.entries()) {
    test(`refused ${index + 1}: ${args.join(' ')}`, async () => {
      const program = new Command();
      for (const command of [reportCommand(), censusCommand()]) {
        program.addCommand(command.exitOverride().configureOutput({ writeErr: () => {} }));
      }
      await assert.rejects(program.parseAsync(args.map(filled), { from: 'user' }), { code, message });
    });
  }

  test('wrong usage is 2, no ledger is 1', async () => {
    const [usage, none] = await Promise.all([run('report'), run('census', '--ledger', 'FILE.none')]);
    assert.deepEqual([usage.code, none.code, usage.stdout, none.stdout], [2, 1, '', '']);
    assert.match(none.stderr, /^tollgate: there is no ledger at `.*none`; `tollgate serve` creates it\n$/);
  });

  test('help shows an example', async () => {
    for (const name of ['report', 'census']) {
      const { code, stdout } = await run(name, '--help');
      assert.equal(code, 0);
      assert.match(stdout, /Examples?:\n {2}\$ tollgate/);
    }
  });
});
