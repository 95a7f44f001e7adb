import assert from 'node:assert/strict';
import { chmod, chown, lstat, mkdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { bindSocket } from '../../src/envoy/socket.ts';
import { tempDir } from '../support/temp.ts';

const isRoot = process.geteuid?.() === 0;
const needRoot = { skip: isRoot ? false : 'only root may give directories away' };
const ELSE = 12_345;

test('the mask is set before the socket is there, so that at no moment others may connect', async (t) => {
  const path = join(await tempDir(t), 'run', 'check.sock');
  const before = process.umask(0o000);
  t.after(() => process.umask(before));
  let born = 0;
  await bindSocket(path, async () => {
    const server = createServer();
    t.after(() => server.close());
    await new Promise<void>((resolve) => server.listen(path, resolve));
    born = (await lstat(path)).mode & 0o777;
  });
  assert.equal(born & 0o007, 0);
  assert.equal((await lstat(path)).mode & 0o777, 0o660);
  assert.equal((await stat(join(path, '..'))).mode & 0o777, 0o750);
  assert.equal(process.umask(), 0o000);
});

test('the mask comes back where the socket cannot be made', async (t) => {
  const before = process.umask();
  await assert.rejects(bindSocket(join(await tempDir(t), 'x'), () => Promise.reject(new Error('no'))));
  assert.equal(process.umask(), before);
});

test('a directory that others may change is refused', needRoot, async (t) => {
  const rows: readonly [mode: number, uid: number, gid: number, refused: RegExp | undefined][] = [
    [0o750, 0, 0, undefined],
    [0o750, 0, ELSE, undefined],
    [0o770, 0, 0, undefined],
    [0o777, 0, 0, /must not be writable by everybody$/],
    [0o1777, 0, 0, /must not be writable by everybody$/],
    [0o770, 0, ELSE, /must not be writable by a group that Tollgate is not in: found group 12345$/],
    [0o2770, 0, ELSE, /must not be writable by a group/],
    [0o700, ELSE, 0, /must not be another user's: found user 12345$/],
  ];
  for (const [index, [mode, uid, gid, refused]] of rows.entries()) {
    const dir = join(await tempDir(t), 'run');
    await mkdir(dir);
    await chown(dir, uid, gid);
    await chmod(dir, mode);
    const binding = bindSocket(join(dir, 'a.sock'), async () => {
      const server = createServer();
      t.after(() => server.close());
      await new Promise<void>((resolve) => server.listen(join(dir, 'a.sock'), resolve));
    });
    if (refused === undefined) await binding;
    else await assert.rejects(binding, { code: 'settings_invalid', message: refused }, `row ${index}`);
  }
});
