/** envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs over bytes. Lossy by design: it settles, it never decides. */
import type { Awaitable } from '../core/units.ts';
import type { LogEntry } from '../metering/entry.ts';
import type { InboundMethod } from './rpc.ts';
import { readAccessLog } from './wire/access-log.ts';

export const ACCESS_LOG = 'envoy.service.accesslog.v3.AccessLogService';

export interface AccessLogPorts {
  /**
   * Entries of one message, in its order. A promise holds the stream back until it is settled. What it throws is a fault,
   * not the end of the stream.
   */
  take(entries: readonly LogEntry[]): Awaitable<void>;
  /** `undecodable`: as many entries could not be read. `failed`: `take` threw. */
  onFault?(fault: 'undecodable' | 'failed', cause: unknown): void;
}

/**
 * The method to register. A stream is never ended by us but at shutdown: Envoy would reconnect for each batch and lose
 * entries on the way.
 */
export function serveAccessLog(ports: AccessLogPorts): InboundMethod {
  return {
    kind: 'inbound',
    path: `/${ACCESS_LOG}/StreamAccessLogs`,
    answer: new Uint8Array(0),
    open: () => ({ message: (bytes) => take(ports, bytes) }),
  };
}

function take(ports: AccessLogPorts, bytes: Uint8Array): Awaitable<void> {
  try {
    const { entries, faulty } = readAccessLog(bytes);
    if (faulty > 0) ports.onFault?.('undecodable', faulty);
    if (entries.length === 0) return;
    const taken = ports.take(entries);
    if (taken instanceof Promise) return taken.catch((error) => ports.onFault?.('failed', error));
  } catch (error) {
    ports.onFault?.('failed', error);
  }
}
