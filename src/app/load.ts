import type { Clock } from '../core/clock.ts';
import { LoopLag } from '../core/loop-lag.ts';
import type { Awaitable } from '../core/units.ts';
import { Overload } from '../decision/overload.ts';
import type { EventLog } from '../telemetry/log.ts';

/** How often the loop is looked at, ms. A tenth of a thousandth of a core. */
const EVERY_MS = 10;

/** How much the process has to do, and what it therefore does not take on. */
export interface LoadWatch {
  /** Runs a decision, and counts it for as long as it takes. */
  during<T>(decide: () => Awaitable<T>): Awaitable<T>;
  /** Port of the decider. */
  shed(classes: readonly string[], order: readonly string[]): number | undefined;
  /** For metrics: lag of the loop now, ms; decisions under way; classes shed now; calls shed so far, by class. */
  counts(): LoadCounts;
  close(): void;
}

export interface LoadCounts {
  readonly lagMs: number;
  readonly inFlight: number;
  readonly depth: number;
  readonly shed: ReadonlyMap<string, number>;
}

export function watchLoad(options: {
  readonly clock: Clock;
  readonly events: EventLog;
  /** All classes of the policy in force, the most important first. */
  readonly classes: () => readonly string[];
  readonly random: () => number;
}): LoadWatch {
  const { clock, events, classes, random } = options;
  const lag = new LoopLag({ everyMs: EVERY_MS, nowMs: clock.monotonicMs() });
  const overload = new Overload({ nowMs: clock.monotonicMs() });
  let inFlight = 0;
  const look = (): void => {
    const nowMs = clock.monotonicMs();
    const before = overload.depth;
    const lagMs = lag.lagMs(nowMs);
    overload.observe({ nowMs, lagMs, inFlight }, classes().length);
    if (overload.depth === before) return;
    const shed = classes().slice(-overload.depth || classes().length);
    const about = { lag_ms: Math.round(lagMs), in_flight: inFlight, classes: shed };
    events.write(overload.depth > 0 ? 'warn' : 'info', 'load_shed', about, overload.depth > before ? 'more' : 'less');
  };
  const timer = setInterval(() => {
    lag.tick(clock.monotonicMs());
    look();
  }, EVERY_MS);
  timer.unref();
  return {
    during(decide) {
      const answer = decide();
      if (!(answer instanceof Promise)) return answer;
      inFlight += 1;
      return answer.finally(() => {
        inFlight -= 1;
      });
    },
    shed(asked, order) {
      look();
      return overload.sheds(asked, { order, random: random() });
    },
    counts: () => ({
      lagMs: lag.lagMs(clock.monotonicMs()),
      inFlight,
      depth: overload.depth,
      shed: overload.counts(),
    }),
    close: () => clearInterval(timer),
  };
}
