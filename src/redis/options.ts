/** How Tollgate talks to a Redis: what an operator says, and what is pinned because the client's defaults count twice. */
import type { ConnectionOptions } from 'node:tls';
import type { ClusterOptions, CommonRedisOptions, RedisOptions } from 'ioredis';

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
}

/** Where the data is. */
export type RedisTopology =
  | { readonly kind: 'single'; readonly address: RedisAddress }
  /** `group`: name of the primary that the Sentinels watch. */
  | {
      readonly kind: 'sentinel';
      readonly sentinels: readonly RedisAddress[];
      readonly group: string;
      readonly sentinelUsername?: string;
      readonly sentinelPassword?: string;
    }
  /** Some of its nodes; the others are found. */
  | { readonly kind: 'cluster'; readonly nodes: readonly RedisAddress[] };

export interface RedisSettings {
  readonly topology: RedisTopology;
  readonly username?: string;
  readonly password?: string;
  /** TLS to every node; to the Sentinels too. */
  readonly tls?: ConnectionOptions;
  /** Database index; 0 in a cluster. Default 0. */
  readonly db?: number;
  /** Shown by `CLIENT LIST`. Default `tollgate`. */
  readonly name?: string;
  /** A command that has no answer after this is given up, ms: its outcome is unknown. Default 25. */
  readonly commandTimeoutMs?: number;
  /** A link is given up that takes longer to make, ms. Default 300. */
  readonly connectTimeoutMs?: number;
  /** A link that answers nothing for this long while an answer is due is closed, ms. Default 300. */
  readonly socketTimeoutMs?: number;
}

const DEFAULTS = { name: 'tollgate', commandTimeoutMs: 25, connectTimeoutMs: 300, socketTimeoutMs: 300 } as const;

const RETRY_LEAST_MS = 50;
const RETRY_MOST_MS = 1000;
/** A slot that moves, or has no primary, is asked again after this; within the deadline of a decision. */
const CLUSTER_RETRY_MS = 20;
/** With 2 a command to a slot in migration fails. */
const REDIRECTIONS_MAX = 4;

/** Ms until the `attempt`-th reconnection (from 1): doubling from 50 to 1000, half of it by chance (`random` in 0..1). */
export function retryDelayMs(attempt: number, random: number): number {
  const most = Math.min(RETRY_MOST_MS, RETRY_LEAST_MS * 2 ** Math.min(attempt - 1, 10));
  return Math.round(most / 2 + (most / 2) * random);
}

/** Of RESP2: replies in its shapes. */
interface Plain {
  readonly replyMapping: 'legacy';
}

/**
 * Pinned for every node. No command is ever sent again by the client, nor kept for later: what was lost may have been
 * done, and what waits outlives its decision. Only together do these hold; alone, some let a promise hang for ever.
 */
function pinned(settings: RedisSettings): CommonRedisOptions & Plain {
  return {
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    commandTimeout: settings.commandTimeoutMs ?? DEFAULTS.commandTimeoutMs,
    connectTimeout: settings.connectTimeoutMs ?? DEFAULTS.connectTimeoutMs,
    socketTimeout: settings.socketTimeoutMs ?? DEFAULTS.socketTimeoutMs,
    keepAlive: 5000,
    // Nothing here needs RESP3, and proxies do not speak it.
    protocol: 2,
    replyMapping: 'legacy',
    enableAutoPipelining: false,
    disableClientInfo: true,
    connectionName: settings.name ?? DEFAULTS.name,
    // A primary that became a replica; 1: reconnect, do not send the command again.
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 1 : false),
    ...(settings.username === undefined ? {} : { username: settings.username }),
    ...(settings.password === undefined ? {} : { password: settings.password }),
  };
}

const retry = (attempt: number): number => retryDelayMs(attempt, Math.random());

/** Options of one link to a primary, alone or found through Sentinels. */
export function linkOptions(settings: RedisSettings): RedisOptions & Plain {
  const { topology, tls } = settings;
  const common: RedisOptions & Plain = {
    ...pinned(settings),
    enableOfflineQueue: false,
    retryStrategy: retry,
    db: settings.db ?? 0,
    ...(tls === undefined ? {} : { tls }),
  };
  if (topology.kind === 'single') return { ...common, ...topology.address };
  if (topology.kind === 'cluster') throw new TypeError('a cluster has no single link');
  const { sentinels, group, sentinelUsername, sentinelPassword } = topology;
  return {
    ...common,
    sentinels: [...sentinels],
    name: group,
    failoverDetector: true,
    sentinelRetryStrategy: () => 200,
    sentinelReconnectStrategy: retry,
    sentinelCommandTimeout: settings.connectTimeoutMs ?? DEFAULTS.connectTimeoutMs,
    ...(tls === undefined ? {} : { sentinelTLS: tls, enableTLSForSentinelMode: true }),
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
  };
}

/** Options of a cluster. `enableOfflineQueue` works only outside of `redisOptions`. */
export function clusterOptions(
  settings: RedisSettings,
): ClusterOptions & { readonly redisOptions: NonNullable<ClusterOptions['redisOptions']> & Plain } {
  const { tls } = settings;
  return {
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    scaleReads: 'master',
    maxRedirections: REDIRECTIONS_MAX,
    retryDelayOnFailover: CLUSTER_RETRY_MS,
    retryDelayOnClusterDown: CLUSTER_RETRY_MS,
    retryDelayOnTryAgain: CLUSTER_RETRY_MS,
    slotsRefreshTimeout: settings.connectTimeoutMs ?? DEFAULTS.connectTimeoutMs,
    clusterRetryStrategy: retry,
    redisOptions: { ...pinned(settings), ...(tls === undefined ? {} : { tls }) },
  };
}
