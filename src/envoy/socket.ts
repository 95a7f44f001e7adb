/** Unix sockets that only our group may use. */
import { chmod, lstat, mkdir, stat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { TollgateError } from '../core/errors.ts';

const SOCKET_MODE = 0o660;
const DIRECTORY_MODE = 0o750;
/** Time a process behind an existing socket has to accept, ms. One that listens accepts at once. */
const PROBE_MS = 1000;

/**
 * Runs `bind`, which makes the socket, so that nobody outside our group can ever reach it. Makes its directory (0750) if
 * there is none; removes a socket that nobody listens on. Throws `settings_invalid`, or `port_in_use` where somebody does.
 */
export async function bindSocket<T>(path: string, bind: () => Promise<T>): Promise<T> {
  await prepareDirectory(dirname(path));
  await removeStale(path);
  // Between bind and chmod others could connect: the mask, which is the whole process's, closes that gap.
  const mask = process.umask(0o007);
  let bound: T;
  try {
    bound = await bind();
  } finally {
    process.umask(mask);
  }
  await chmod(path, SOCKET_MODE);
  return bound;
}

/** Who may write the directory may put another socket in the place of ours: nobody but us, root, and a group that we are in. */
async function prepareDirectory(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
  const { mode, uid, gid } = await stat(directory);
  const about = `directory of the socket, \`${directory}\`, must not be`;
  if ((mode & 0o002) !== 0) throw invalid(`${about} writable by everybody`);
  if (uid !== 0 && uid !== process.geteuid?.()) throw invalid(`${about} another user's: found user ${uid}`);
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])];
  if ((mode & 0o020) !== 0 && gid !== 0 && !groups.includes(gid))
    throw invalid(`${about} writable by a group that Tollgate is not in: found group ${gid}`);
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw invalid(`\`${path}\` exists and is not a socket`);
  if (await answers(path)) throw inUse(`unix:${path}`);
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    // A listener with a full backlog does not answer in time, but is alive.
    socket.setTimeout(PROBE_MS, () => done(true));
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
  });
}

/** Says what to do: the person who reads it started the second of two servers. */
export function inUse(endpoint: string): TollgateError {
  return new TollgateError(
    'port_in_use',
    `\`${endpoint}\` is in use: stop the other process, or give this one another listener in tollgate.yaml`,
  );
}

function invalid(message: string): TollgateError {
  return new TollgateError('settings_invalid', message);
}
