import type { EventLog } from './log.ts';

/**
 * Answers a check that writes one event `anomalies` with all counts above 0, whenever any of them has changed since they
 * were last written. `read`: what should never happen, by name, since the start. Totals, so that none is lost where the log
 * holds an event back.
 */
export function anomalyWatch(events: EventLog, read: () => Readonly<Record<string, number>>): () => void {
  let told = '{}';
  return () => {
    const found = Object.fromEntries(Object.entries(read()).filter(([, count]) => count > 0));
    const text = JSON.stringify(found);
    if (text !== told && events.write('warn', 'anomalies', found)) told = text;
  };
}
