/** C2: what is read of a directory that somebody writes. Through a real process: e2e/reload. */
import assert from 'node:assert/strict';
import { appendFile, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { judgeFiles } from '../../src/policy/bundle.ts';
import { readBundleFiles } from '../../src/policy/directory.ts';
import { ParsedFiles } from '../../src/policy/documents.ts';
import { Problems } from '../../src/policy/problem.ts';
import { fingerprintOf } from '../../src/policy/reload/fingerprint.ts';
import { lintFinished, markedFiles } from '../../src/policy/reload/finished.ts';
import { readSettled } from '../../src/policy/reload/settled.ts';
import { bundleWith } from './bundles.ts';

test('C2: of a marked file every prefix is refused, but the whole', async (t) => {
  const dir = await bundleWith(t, { base: 'example' });
  const files = await readBundleFiles(dir, new Problems());
  const plans = files.find(({ role }) => role === 'plans')!;
  const whole = Buffer.concat([plans.bytes, Buffer.from('...\n')]);
  const marked = new Set(markedFiles([{ ...plans, bytes: whole }]));
  assert.deepEqual([...marked], ['plans.yaml']);
  const parsed = new ParsedFiles();
  const isTaken = async (bytes: Buffer): Promise<boolean> => {
    const all = files.map((each) => (each === plans ? { ...each, bytes } : each));
    return (await judgeFiles(dir, { files: all, parsed, marked }, new Problems())).policy !== undefined;
  };
  for (let length = 0; length < whole.length; length += 10) {
    assert.equal(await isTaken(whole.subarray(0, length)), false, `${length} bytes`);
  }
  assert.equal(await isTaken(whole), true);
});

test('C2: without a mark no value is cut: a file ends with a line feed', () => {
  const rows: readonly (readonly [text: string, rules: number, file?: string])[] = [
    ['a: 1\n', 0],
    ['a: 1\r\n', 0],
    ['a: 1', 1],
    ['a: 1\n...', 1],
    ['a: 1\n...\n', 0],
    ['', 0],
    ['{"a": 1}', 0, 'accounts/a.json'],
  ];
  for (const [text, count, file = 'accounts/a.yaml'] of rows) {
    const problems = new Problems();
    lintFinished([{ role: 'accounts', file, bytes: Buffer.from(text) }], new Set(), problems);
    assert.equal(problems.errors, count, JSON.stringify(text));
  }
});

test('what ends with the marker, and what only looks like it', () => {
  const rows: readonly (readonly [text: string, isMarked: boolean])[] = [
    ['a: 1\n...\n', true],
    ['a: 1\n...  \n', true],
    ['a: 1\r\n...\r\n', true],
    ['...\n', true],
    ['a: ...\n', false],
    ['a: 1\n...', false],
    ['a: 1\n...\n\n', false],
    ['a: 1\n... b\n', false],
  ];
  for (const [text, isMarked] of rows) {
    const found = markedFiles([{ role: 'plans', file: 'plans.yaml', bytes: Buffer.from(text) }]);
    assert.equal(found.length === 1, isMarked, JSON.stringify(text));
  }
});

test('what was just touched is left alone; what is old, or was there before, is not waited for', async (t) => {
  const dir = await bundleWith(t, {});
  const plans = join(dir, 'plans.yaml');
  const old = new Date(Date.now() - 60_000);
  const took = async (before: ReadonlyMap<string, string> | undefined): Promise<number> => {
    const startMs = performance.now();
    assert.ok((await readSettled(dir, before, systemClock)) !== undefined);
    return performance.now() - startMs;
  };
  const stamps = async (): Promise<ReadonlyMap<string, string>> =>
    new Map([...(await fingerprintOf(dir)).files].map(([file, { text }]) => [file, text]));
  const known = await stamps();
  await appendFile(plans, '# touched\n');
  // By order, not by the clock: a second at least, or less than that.
  assert.ok((await took(known)) >= 900);
  await appendFile(plans, '# touched\n');
  const now = await stamps();
  await appendFile(join(dir, 'access.yaml'), '# touched\n');
  await utimes(join(dir, 'access.yaml'), old, old);
  await took(now);
  assert.equal((await readFile(plans, 'utf8')).endsWith('# touched\n# touched\n'), true);
});

test('a file that goes on being written is waited for, and read whole', async (t) => {
  const dir = await bundleWith(t, {});
  const known = new Map([...(await fingerprintOf(dir)).files].map(([file, { text }]) => [file, text]));
  const plans = join(dir, 'plans.yaml');
  const text = await readFile(plans, 'utf8');
  await writeFile(plans, '');
  const reading = readSettled(dir, known, systemClock);
  for (let at = 0; at < text.length; at += Math.ceil(text.length / 8)) {
    await appendFile(plans, text.slice(at, at + Math.ceil(text.length / 8)));
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  const settled = await reading;
  assert.equal(settled?.files.find(({ role }) => role === 'plans')?.bytes.toString(), text);
});
