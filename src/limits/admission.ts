/** Questions against the tables: reads counters for `evaluate`, and charges what it admits. */
import { type Level, type Rate, unitsUp } from './bucket.ts';
import { type Counter, goneCounter } from './counters.ts';
import { evaluate, type Reader, type Reading, type Verdict } from './evaluate.ts';
import { chargeSpend, entersAtOnce, rateOfRef } from './moves.ts';
import type { HeldSpend } from './reservations.ts';
import type { Run } from './runs.ts';
import { type Ask, RANK, type Spend } from './store.ts';
import type { Tables } from './tables.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** One question at a time: `judge`, then `admit` if it was admitted, with nothing in between. */
export class Admission implements Reader {
  readonly #tables: Tables;
  /** Counters of the candidate that was read last, by spend. */
  readonly #found: (Counter | undefined)[] = [];
  readonly #reading: Mutable<Reading> = { used: 0, spent: 0, level: undefined };
  #nowMs = 0;
  #run: Run | undefined;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** Changes nothing. */
  judge(ask: Ask, nowMs: number, forced: number | undefined): Verdict {
    this.#nowMs = nowMs;
    this.#run = ask.run === undefined ? undefined : this.#tables.runs.get(ask.run.marker, nowMs);
    return evaluate(ask.candidates, this, nowMs, forced);
  }

  read(spend: Spend, index: number): Reading | undefined {
    if (spend.once === true && this.#run !== undefined) {
      this.#found[index] = undefined;
      return undefined;
    }
    const counter = this.#tables.live(spend.counter, this.#nowMs);
    this.#found[index] = counter;
    const reading = this.#reading;
    let level: Level | undefined;
    if (counter === undefined) {
      reading.used = 0;
      reading.spent = 0;
    } else if (counter.kind === 'bucket') {
      level = counter.levelAt(spend as Spend & Rate, this.#nowMs);
      reading.spent = unitsUp(level);
      reading.used = reading.spent + counter.held;
    } else {
      reading.used = counter.used;
      reading.spent = Math.max(0, counter.used - counter.held);
    }
    reading.level = level;
    return reading;
  }

  /** Charges the candidate of the verdict just reached; false, and nothing is changed, where there is no room. */
  admit(ask: Ask, { candidate, states }: Verdict): boolean {
    const spends = ask.candidates[candidate]!;
    const asked = states[candidate]!;
    if (!this.#hasRoom(ask, asked)) return false;
    const tables = this.#tables;
    const nowMs = this.#nowMs;
    const run =
      ask.run === undefined ? undefined : (this.#run ?? tables.runs.begin(ask.run.marker, { ...ask.run, nowMs }));
    const held: HeldSpend[] = [];
    for (let i = 0; i < spends.length; i++) {
      if (asked[i] === undefined) continue;
      const spend = spends[i]!;
      const counter = this.#found[i] ?? tables.counters.make(spend, nowMs) ?? goneCounter(spend);
      const one = heldOf(spend, counter);
      held.push(one);
      if (counter.isGone) continue;
      chargeSpend(counter, spend, one, nowMs);
      if (counter.kind === 'total') tables.joinRun(counter, run);
      tables.moved(counter, nowMs);
    }
    const { id, mintedAt, expiresAt } = ask;
    const facts = { id, mintedAt, expiresAt, candidate, spends: held, run, isOpen: true };
    const reservation = tables.reservations.add(facts, ask.customer);
    if (run !== undefined) {
      run.open++;
      run.idleMs = ask.run!.idleMs;
      tables.renew(run, nowMs);
    }
    // A hold in the ledger says as much of every other admission.
    if (run !== undefined || candidate > 0) tables.log?.reservation(reservation);
    return true;
  }

  #hasRoom(ask: Ask, asked: Verdict['states'][number]): boolean {
    const { counters, runs, reservations } = this.#tables;
    let missing = 0;
    for (let i = 0; i < asked.length; i++) {
      if (asked[i] !== undefined && this.#found[i] === undefined) missing++;
    }
    if (missing > 0 && !counters.hasRoom(missing, this.#nowMs)) return false;
    if (ask.run !== undefined && this.#run === undefined && !runs.hasRoom(this.#nowMs)) return false;
    return reservations.hasRoom;
  }
}

function heldOf(spend: Spend, counter: Counter): HeldSpend {
  return {
    counter,
    rate: rateOfRef(spend, counter),
    isKept: spend.onExpiry === 'keep',
    reserved: spend.amount,
    charged: spend.amount,
    rank: RANK.reserved,
    isHeld: !entersAtOnce(spend),
  };
}
