import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { ROOT } from '../support/process.ts';
import { tempDir } from '../support/temp.ts';

const MAIN = join(ROOT, 'bench', 'main.ts');

async function bench(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [MAIN, ...args]);
    return { code: 0, stdout, stderr };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

describe('npm run bench', () => {
  test('prints figures with spread and bars as a table, and writes them as JSON', async (t) => {
    const file = join(await tempDir(t), 'figures.json');
    const { code, stdout, stderr } = await bench('--quick', '--only', 'scan,ledger', '--json', file);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^scan … [\d.]+ s\nledger … [\d.]+ s$/m);

    const [head, rule, ...rows] = stdout.trimEnd().split('\n');
    assert.match(head ?? '', /^\| measured +\| +min \| +p50 \| +p99 \| unit \| +± % \| samples \| bar +\|$/);
    assert.match(rule ?? '', /^\|-+\|(-+:\|){6}-+\|$/);
    const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()));
    assert.deepEqual(
      cells.map(([, name, , , , unit]) => `${name} ${unit}`),
      [
        'strict scan of a chat body, 4 KiB µs',
        'strict scan of a chat body, 64 KiB µs',
        'ledger, holds on disk /s',
        'ledger, a hold, main thread µs',
      ],
    );
    for (const [, name, min, p50, p99] of cells) {
      assert.ok(Number(min) > 0 && Number(min) <= Number(p50) && Number(p50) <= Number(p99), `spread of ${name}`);
    }
    // Kept or missed is the machine's affair; that a bar is never left unsaid is ours.
    assert.match(cells[0]?.[8] ?? '', /^≤ 15 µs: (kept|MISSED)$/);
    assert.match(cells[1]?.[8] ?? '', /^≤ 150 µs: (kept|MISSED)$/);

    const { at, machine, figures } = JSON.parse(await readFile(file, 'utf8'));
    assert.ok(!Number.isNaN(Date.parse(at)));
    assert.equal(machine.node, process.version);
    assert.deepEqual(
      figures.map(({ name }: { name: string }) => name),
      cells.map(([, name]) => name),
    );
  });

  for (const [args, code, said] of [
    [['--only', 'scan,nothing'], 2, /`--only` must name some of scan, stall, .*; got `nothing`/],
    [['--slow'], 2, /Unknown option '--slow'/],
    [['--help'], 0, /^npm run bench -- \[--only NAME/],
  ] as const) {
    test(`${args.join(' ')} ends with ${code}`, async () => {
      const found = await bench(...args);
      assert.equal(found.code, code);
      assert.match(code === 0 ? found.stdout : found.stderr, said);
    });
  }
});
