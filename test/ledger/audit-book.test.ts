import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import type { AuditEvent } from '../../src/core/audit.ts';
import { TollgateError } from '../../src/core/errors.ts';
import { openAudit, openAuditReader } from '../../src/ledger/audit-book.ts';
import { chainHash, RECORD_BYTES_MAX, recordText, shownRecord } from '../../src/ledger/audit-record.ts';
import { tempDir } from '../support/temp.ts';

const EVENT: AuditEvent = {
  who: 'ops',
  role: 'operator',
  verb: 'key_create',
  object: 'k7f3q2abcdef',
  after: { account: 'acme' },
  outcome: 'done',
};

/** A file with five records, at 1000 to 5000 ms. */
async function five(t: TestContext): Promise<string> {
  const file = join(await tempDir(t), 'audit.db');
  const book = openAudit(file, { busyMs: 100 });
  for (let at = 1; at <= 5; at++) {
    book.append({ ...EVENT, who: at % 2 === 0 ? 'eve' : 'ops', object: `k${at}` }, at * 1000);
  }
  book.close();
  return file;
}

/** What whoever may write the file can do to it. */
function tamper(file: string, sql: string): void {
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.close();
}

function verdict(file: string) {
  const book = openAuditReader(file)!;
  try {
    return book.verify();
  } finally {
    book.close();
  }
}

const unavailable = (error: unknown) => error instanceof TollgateError && error.code === 'audit_unavailable';

test('records come back the newest first, by time, name and verb, page by page', async (t) => {
  const book = openAuditReader(await five(t))!;
  t.after(() => book.close());
  const seqs = (query: Parameters<typeof book.list>[0]) => book.list(query).map(({ seq }) => seq);
  assert.deepEqual(seqs({ limit: 10 }), [5, 4, 3, 2, 1]);
  assert.deepEqual(seqs({ limit: 2 }), [5, 4]);
  assert.deepEqual(seqs({ limit: 2, beforeSeq: 4 }), [3, 2]);
  assert.deepEqual(seqs({ limit: 10, sinceMs: 3000 }), [5, 4, 3]);
  assert.deepEqual(seqs({ limit: 10, who: 'eve' }), [4, 2]);
  assert.deepEqual(seqs({ limit: 10, verb: 'key_revoke' }), []);
  const [last] = book.list({ limit: 1 });
  const { hash, ...record } = last!;
  assert.match(hash, /^[0-9a-f]{64}$/);
  assert.deepEqual(record, { ...EVENT, object: 'k5', seq: 5, atMs: 5000 });
});

test('two writers append to one chain', async (t) => {
  const file = await five(t);
  const [one, other] = [openAudit(file, { busyMs: 100 }), openAudit(file, { busyMs: 100 })];
  for (let turn = 0; turn < 10; turn++) (turn % 2 === 0 ? one : other).append(EVENT, 6000 + turn);
  one.close();
  other.close();
  const { outcome, ...rest } = verdict(file);
  assert.equal(outcome, 'whole');
  assert.equal('records' in rest && rest.records, 15);
});

test('a record is neither changed nor taken out, unless the guards are taken out first', async (t) => {
  const file = await five(t);
  assert.throws(() => tamper(file, "UPDATE records SET text = 'x' WHERE seq = 2"), /not changed/);
  assert.throws(() => tamper(file, 'DELETE FROM records WHERE seq = 2'), /stay/);
  assert.equal(verdict(file).outcome, 'whole');
});

const GUARDS_OFF = 'DROP TRIGGER records_stay; DROP TRIGGER records_hold;';
const CUTS: readonly [what: string, sql: string, seq: number, why: string][] = [
  ['a text', `UPDATE records SET text = replace(text, 'acme', 'evil') WHERE seq = 2`, 2, 'was changed'],
  ['a time', 'UPDATE records SET at_ms = 1 WHERE seq = 3', 3, 'was changed'],
  ['a name that is searched by', `UPDATE records SET who = 'bob' WHERE seq = 3`, 3, 'was changed'],
  ['one in the middle', 'DELETE FROM records WHERE seq = 3', 3, 'records are missing'],
  ['the first', 'DELETE FROM records WHERE seq = 1', 1, 'records are missing'],
  ['the last', 'DELETE FROM records WHERE seq = 5', 5, 'records at the end are missing'],
  ['all', 'DELETE FROM records', 1, 'records at the end are missing'],
  [
    'two in each other’s place',
    'UPDATE records SET seq = 9 WHERE seq = 2; UPDATE records SET seq = 2 WHERE seq = 4; UPDATE records SET seq = 4 WHERE seq = 9',
    2,
    'was changed',
  ],
];

for (const [index, [what, sql, seq, why]] of CUTS.entries()) {
  test(`the chain shows what was cut or changed, row ${index}: ${what}`, async (t) => {
    const file = await five(t);
    tamper(file, GUARDS_OFF + sql);
    assert.deepEqual(verdict(file), { outcome: 'broken', seq, why });
  });
}

const FORGED: readonly [what: string, text: string][] = [
  ['no JSON', 'not json'],
  ['nothing', 'null'],
  ['a list', '[]'],
  ['one without most of its fields', '{"who":"ops","verb":"key_create"}'],
  ['one with a field of another type', JSON.stringify({ ...EVENT, why: 7 })],
];
for (const [index, [what, text]] of FORGED.entries()) {
  test(`a record that was forged with its hash and is none of ours is shown as broken, row ${index}: ${what}`, async (t) => {
    const file = await five(t);
    const db = new DatabaseSync(file);
    const previous = String(db.prepare('SELECT hash FROM records WHERE seq = 4').get()?.['hash']);
    const hash = chainHash({ previous, seq: 5, atMs: 5000, text });
    db.exec(GUARDS_OFF);
    db.prepare('UPDATE records SET text = ?, hash = ?, who = ? WHERE seq = 5').run(text, hash, 'ops');
    db.close();
    assert.deepEqual(verdict(file), { outcome: 'broken', seq: 5, why: 'was changed' });
    const book = openAuditReader(file)!;
    t.after(() => book.close());
    assert.throws(() => book.list({ limit: 10 }), unavailable);
    assert.equal(book.list({ limit: 10, beforeSeq: 5 }).length, 4);
  });
}

test('a time beyond all dates, and beyond all numbers, is shown as broken', async (t) => {
  for (const atMs of ['8640000000000001', '9223372036854775807', '-1']) {
    const file = await five(t);
    tamper(file, `${GUARDS_OFF} UPDATE records SET at_ms = ${atMs} WHERE seq = 5`);
    assert.deepEqual(verdict(file), { outcome: 'broken', seq: 5, why: 'was changed' });
    const book = openAuditReader(file)!;
    t.after(() => book.close());
    assert.equal(book.list({ limit: 10 }).map(shownRecord).length, 5);
  }
});

test('what was cut off the end is not covered by what comes after', async (t) => {
  const file = await five(t);
  tamper(file, `${GUARDS_OFF} DELETE FROM records WHERE seq >= 4`);
  const book = openAudit(file, { busyMs: 100 });
  for (let at = 0; at < 3; at++) book.append(EVENT, 9000 + at);
  book.close();
  assert.deepEqual(verdict(file), { outcome: 'broken', seq: 4, why: 'records are missing' });
});

test('a record is bounded, whatever it is given', () => {
  const long = '\u0000ü'.repeat(50_000);
  const text = recordText({ ...EVENT, who: long, object: long, why: long, before: { long }, after: [long] });
  assert.ok(Buffer.byteLength(text) <= RECORD_BYTES_MAX, `${Buffer.byteLength(text)}`);
  const full = '\u0000'.repeat(670);
  const both = recordText({ ...EVENT, who: long, object: long, why: long, before: full, after: full });
  assert.equal((JSON.parse(both) as AuditEvent).after, full);
  assert.ok(Buffer.byteLength(both) <= RECORD_BYTES_MAX, `${Buffer.byteLength(both)}`);
  assert.deepEqual((JSON.parse(text) as AuditEvent).before, { cut: Buffer.byteLength(JSON.stringify({ long })) });
});

test('the file is closed to others; what is no audit is left alone', async (t) => {
  const file = await five(t);
  assert.equal(statSync(file).mode & 0o007, 0);
  const dir = await tempDir(t);
  await writeFile(
    join(dir, 'text'),
    'not a database, but longer than a header of one would be, which is 100 bytes'.repeat(3),
  );
  await mkdir(join(dir, 'directory'));
  tamper(join(dir, 'other'), 'CREATE TABLE other (x)');
  for (const name of ['text', 'directory', 'other']) {
    assert.throws(() => openAudit(join(dir, name), { busyMs: 100 }), unavailable, name);
    assert.throws(() => openAuditReader(join(dir, name)), unavailable, name);
  }
  assert.equal(openAuditReader(join(dir, 'absent')), undefined);
  await writeFile(join(dir, 'fresh'), '');
  assert.equal(openAuditReader(join(dir, 'fresh')), undefined);
});

test('a file that another keeps to itself is waited for in vain, not for ever', async (t) => {
  const file = await five(t);
  const other = new DatabaseSync(file);
  t.after(() => other.close());
  const book = openAudit(file, { busyMs: 50 });
  t.after(() => book.close());
  other.exec('BEGIN IMMEDIATE');
  assert.throws(() => book.append(EVENT, 1), unavailable);
  other.exec('COMMIT');
  assert.equal(book.append(EVENT, 1).seq, 6);
});
