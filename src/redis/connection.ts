import { Cluster, Redis } from 'ioredis';
import { isUnknownScript, type RedisError, redisErrorOf } from './error.ts';
import { clusterOptions, linkOptions, type RedisSettings } from './options.ts';
import type { Script } from './script.ts';

/** What a call may carry: safe integers, and texts. */
export type RedisValue = string | number;

export interface RedisListener {
  /** The link can be used, or no longer. Not told twice in a row. */
  onReady?(isReady: boolean): void;
  /** A link failed, or could not be made; it is tried again. Any number of times. */
  onFailure?(error: RedisError): void;
}

/** How long links may take to end, ms. */
const END_WITHIN_MS = 1000;

/**
 * One way to one Redis, alone, behind Sentinels, or a cluster. Made at once and remade in the background for as long as it is
 * open; a call while it is away fails at once, and every call ends within the command's deadline. A call is sent at most
 * once by us (a cluster's client asks again where a node is gone), and rejects with RedisErrors only.
 */
export class RedisConnection {
  readonly #client: Redis | Cluster;
  readonly #listener: RedisListener;
  #isReady = false;

  constructor(settings: RedisSettings, listener: RedisListener = {}) {
    this.#listener = listener;
    const { topology } = settings;
    const client =
      topology.kind === 'cluster'
        ? new Cluster([...topology.nodes], clusterOptions(settings))
        : new Redis(linkOptions(settings));
    this.#client = client;
    client.on('ready', () => this.#setReady(true));
    client.on('close', () => this.#setReady(false));
    client.on('end', () => this.#setReady(false));
    // Without a listener the process would die of it.
    client.on('error', (error: unknown) => this.#listener.onFailure?.(redisErrorOf(error)));
  }

  /** Whether a call would be sent now. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** One command; of a cluster, of the node that has its first key. */
  async command(name: string, ...args: RedisValue[]): Promise<unknown> {
    try {
      return await this.#client.call(name, ...args);
    } catch (error) {
      throw redisErrorOf(error);
    }
  }

  /** Runs a script; sends its text where the server does not know it, and so has not run it. */
  async run(script: Script, keys: readonly string[], args: readonly RedisValue[]): Promise<unknown> {
    try {
      return await this.#client.call('evalsha', script.sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!isUnknownScript(error)) throw redisErrorOf(error);
    }
    return this.command('eval', script.lua, keys.length, ...keys, ...args);
  }

  /** Ends all links; calls that wait for an answer fail. Does not throw. */
  async close(): Promise<void> {
    const client = this.#client;
    if (client.status === 'end') return;
    if (client.status === 'reconnecting') {
      // Between two attempts there is no link whose end could be waited for.
      client.disconnect();
      this.#setReady(false);
      return;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, END_WITHIN_MS);
    client.once('end', resolve);
    client.disconnect();
    await promise;
    clearTimeout(timer);
  }

  #setReady(isReady: boolean): void {
    if (this.#isReady === isReady) return;
    this.#isReady = isReady;
    this.#listener.onReady?.(isReady);
  }
}
