/** What can go wrong between us and a Redis, as a closed union. No text of a command, and with it no secret, is in one. */

/**
 * - `unavailable`: there is no link; nothing was sent.
 * - `timeout`: no answer in time. - `cut`: the link ended before the answer. Of both nobody knows whether it was done.
 * - `readonly`: a replica answered. - `oom`: no memory for writes. - `busy`: another script does not end.
 * - `loading`: it has just started, or follows a primary that is away.
 * - `denied`: user, password or permissions are wrong.
 * - `cluster`: no node serves the slot now.
 * - `fault`: any other error reply; a fault of ours, or of who writes into our keys.
 */
export type RedisErrorCode =
  | 'unavailable'
  | 'timeout'
  | 'cut'
  | 'readonly'
  | 'oom'
  | 'busy'
  | 'loading'
  | 'denied'
  | 'cluster'
  | 'fault';

const TEXT: Readonly<Record<RedisErrorCode, string>> = {
  unavailable: 'redis is not connected',
  timeout: 'redis did not answer in time',
  cut: 'the connection to redis ended before its answer',
  readonly: 'redis is a read-only replica',
  oom: 'redis has no memory left for writes',
  busy: 'redis is busy with a script that does not end',
  loading: 'redis is loading its data',
  denied: 'redis denies access: user, password or permissions are wrong',
  cluster: 'the redis cluster does not serve the slot',
  fault: 'redis answered an error',
};

/** Error replies are told by their first word. */
const CODE_OF_WORD: ReadonlyMap<string, RedisErrorCode> = new Map([
  ['READONLY', 'readonly'],
  ['OOM', 'oom'],
  ['BUSY', 'busy'],
  ['LOADING', 'loading'],
  ['MASTERDOWN', 'loading'],
  ['NOAUTH', 'denied'],
  ['WRONGPASS', 'denied'],
  ['NOPERM', 'denied'],
  ['CLUSTERDOWN', 'cluster'],
  ['TRYAGAIN', 'cluster'],
  ['MOVED', 'cluster'],
  ['ASK', 'cluster'],
]);

/** What ioredis 6.0 says itself; its errors have no codes. */
const CODE_OF_TEXT: readonly (readonly [start: string, code: RedisErrorCode])[] = [
  ['Command timed out', 'timeout'],
  ["Stream isn't writeable", 'unavailable'],
  ['Cluster isn', 'unavailable'],
  ['Failed to refresh slots cache', 'cluster'],
  ['Too many Cluster redirections', 'cluster'],
];

/** Characters of a server's text that are shown at most. */
const DETAIL_MAX = 200;

/** A failed call. `outcome` says whether the call may have been done all the same. */
export class RedisError extends Error {
  readonly code: RedisErrorCode;
  readonly outcome: 'none' | 'unknown';

  constructor(code: RedisErrorCode, detail?: string) {
    super(detail === undefined ? TEXT[code] : `${TEXT[code]}: ${detail}`);
    this.name = 'RedisError';
    this.code = code;
    this.outcome = code === 'timeout' || code === 'cut' || code === 'fault' ? 'unknown' : 'none';
  }
}

/**
 * The error that stands for what a client rejected with. Its origin is dropped: ioredis hangs the command with all its
 * arguments on it, a password among them.
 */
export function redisErrorOf(cause: unknown): RedisError {
  if (cause instanceof RedisError) return cause;
  if (!(cause instanceof Error)) return new RedisError('fault');
  const { message } = cause;
  for (const [start, code] of CODE_OF_TEXT) if (message.startsWith(start)) return new RedisError(code);
  if (cause.name !== 'ReplyError') return new RedisError('cut');
  // An error that a command raised inside of a script may stand behind the script's own words.
  const inner = /(?:^|\b)(READONLY|OOM|MOVED|ASK|TRYAGAIN|NOPERM) /.exec(message)?.[1];
  const code =
    CODE_OF_WORD.get(message.split(' ', 1)[0]!) ?? (inner === undefined ? undefined : CODE_OF_WORD.get(inner));
  if (code !== undefined) return new RedisError(code);
  return new RedisError('fault', message.split('\n', 1)[0]!.slice(0, DETAIL_MAX));
}

/** Whether the server does not know a script: then it was not run. */
export function isUnknownScript(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'ReplyError' && cause.message.startsWith('NOSCRIPT');
}
