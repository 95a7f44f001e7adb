/**
 * What limits.md says, a second time and another way: counters are sums over decisions, buckets are rationals in BigInt,
 * nothing is bounded or fast. No code is shared with the stores.
 */
import type { Ask, CounterRef, Spend } from '../../src/limits/store.ts';

interface Charge {
  readonly spend: CounterRef & { readonly limit?: string };
  readonly reserved: number;
  /** Rank → amount, of what acted, in order; the last counts. */
  amount: number;
  rank: number;
  isHeld: boolean;
  /** The life of its counter: a total of an ended run is another one. */
  life: number;
}

interface Decision {
  readonly mintedAt: number;
  expiresAt: number;
  readonly candidate: number | undefined;
  readonly run: string | undefined;
  readonly runLife: number;
  readonly charges: Map<string, Charge>;
  isOpen: boolean;
  rank: number;
}

/** In 1/p units. */
interface Bucket {
  level: bigint;
  at: number;
}

interface RunState {
  life: number;
  renewedAt: number;
  isAlive: boolean;
}

export type Told =
  | { outcome: 'admitted'; candidate: number; over: number[] }
  | { outcome: 'refused'; candidate: number; blocked: number[]; waitMs: number | 'never'; overdue: boolean }
  | { outcome: 'known'; candidate: number | undefined }
  | { outcome: 'moved' };

const HOLD_WAIT_MS = 1000;

export class Reference {
  readonly decisions = new Map<string, Decision>();
  readonly #buckets = new Map<string, Bucket>();
  readonly #runs = new Map<string, RunState>();
  readonly #totals = new Map<string, { life: number; run: string | undefined; runLife: number }>();
  readonly #idleMs: number;

  constructor({ idleMs }: { idleMs: number }) {
    this.#idleMs = idleMs;
  }

  reserve(ask: Ask, now: number, mode: { dry: boolean; force: number | undefined }): Told {
    const known = this.decisions.get(ask.id);
    if (known !== undefined && !mode.dry) return { outcome: 'known', candidate: known.candidate };
    if (mode.force === undefined && (now < ask.from || now >= ask.until)) return { outcome: 'moved' };
    const marker = ask.run?.marker;
    const isRunning = marker !== undefined && this.#isAlive(marker, now);
    const asked = (spend: Spend) => !(spend.once === true && isRunning);
    const waits: (number | 'never')[] = [];
    for (const [candidate, spends] of ask.candidates.entries()) {
      const unfit = spends.flatMap((spend, i) =>
        asked(spend) && this.#waitOf(spend, marker, now) !== undefined ? [i] : [],
      );
      const over = unfit.filter((i) => spends[i]!.observe);
      const blocked = unfit.filter((i) => !spends[i]!.observe);
      if (mode.force === undefined ? blocked.length === 0 : mode.force === candidate) {
        if (!mode.dry) this.#admit(ask, candidate, spends.filter(asked), now);
        return { outcome: 'admitted', candidate, over };
      }
      const waitOf = (i: number) => this.#waitOf(spends[i]!, marker, now)!;
      waits.push(blocked.map(waitOf).reduce(longer, 0));
      const yields = blocked.some((i) => spends[i]!.yields !== undefined);
      if (mode.force !== undefined || (yields && candidate + 1 < ask.candidates.length)) continue;
      blocked.sort((a, b) => {
        if (waitOf(a) !== waitOf(b)) return longer(waitOf(a), waitOf(b)) === waitOf(a) ? -1 : 1;
        return spends[a]!.limit < spends[b]!.limit ? -1 : 1;
      });
      const overdue = [...this.decisions.values()].some(({ isOpen, expiresAt }) => isOpen && expiresAt <= now);
      return { outcome: 'refused', candidate, blocked, waitMs: waits.reduce(shorter), overdue };
    }
    throw new Error('no candidate');
  }

  settle(
    id: string,
    { mintedAt, rank, now }: { mintedAt: number; rank: number; now: number },
    settlements: readonly { readonly ref: CounterRef; readonly actual: number | 'unmeasured' }[],
  ): string {
    let decision = this.decisions.get(id);
    if (decision === undefined) {
      const charges = new Map<string, Charge>();
      decision = {
        mintedAt,
        expiresAt: 0,
        candidate: undefined,
        run: undefined,
        runLife: 0,
        charges,
        isOpen: false,
        rank: -1,
      };
      this.decisions.set(id, decision);
    }
    const before = decision.rank;
    const amounts = new Map<string, number | 'unmeasured'>([...decision.charges.keys()].map((name) => [name, 0]));
    const refs = new Map(settlements.map(({ ref }) => [ref.counter, ref]));
    for (const { ref, actual } of settlements) amounts.set(ref.counter, actual);
    const outcomes = [...amounts].map(([name, actual]) => {
      const known = decision.charges.get(name);
      const charge = known ?? strange(refs.get(name)!, decision.rank);
      const isSlots = charge.spend.kind === 'slots';
      const isMeasured = actual !== 'unmeasured' || isSlots;
      const itsRank = isMeasured ? rank : 0.5;
      const amount = isSlots ? 0 : actual === 'unmeasured' ? charge.reserved : actual;
      if (itsRank < charge.rank) return 'superseded';
      if (itsRank === charge.rank) return amount === charge.amount ? 'same' : 'conflict';
      if (known === undefined) charge.life = this.#joinedLife(charge.spend, decision, now);
      this.#move(decision, charge, { amount, isHeld: charge.isHeld && !isMeasured, now });
      charge.rank = itsRank;
      decision.charges.set(name, charge);
      return 'changed';
    });
    decision.rank = Math.max(before, rank);
    const ofNothing = rank > before ? 'changed' : rank === before ? 'same' : 'superseded';
    const outcome =
      outcomes.length === 0
        ? ofNothing
        : ((['changed', 'conflict', 'superseded', 'same'] as const).find((each) => outcomes.includes(each)) ?? 'same');
    if (outcome === 'changed') {
      const run = decision.run === undefined ? undefined : this.#runs.get(decision.run);
      const isIts = run !== undefined && run.life === decision.runLife;
      if (isIts && this.#isAlive(decision.run!, now)) run.renewedAt = Math.max(run.renewedAt, now);
      if ([...decision.charges.values()].every((charge) => charge.rank !== 0.5)) decision.isOpen = false;
    }
    return outcome;
  }

  expire(now: number, max: number): string[] {
    const due = [...this.decisions].filter(([, { isOpen, expiresAt }]) => isOpen && expiresAt <= now);
    due.sort(([aId, a], [bId, b]) => a.expiresAt - b.expiresAt || (aId < bId ? -1 : 1));
    return due.slice(0, max).map(([id, decision]) => {
      for (const charge of decision.charges.values()) {
        const isFree = charge.rank === -1 && (charge.spend.kind === 'slots' || charge.spend.onExpiry === 'release');
        this.#move(decision, charge, { amount: isFree ? 0 : charge.amount, isHeld: false, now });
        charge.rank = Math.max(charge.rank, 0);
      }
      decision.rank = Math.max(decision.rank, 0);
      decision.isOpen = false;
      return id;
    });
  }

  extend(id: string, expiresAt: number): string {
    const decision = this.decisions.get(id);
    if (decision === undefined || !decision.isOpen) return 'closed';
    decision.expiresAt = Math.max(decision.expiresAt, expiresAt);
    return 'extended';
  }

  /** Used and spent of a counter, for a question in `run`. */
  state(ref: CounterRef, run: string | undefined, now: number): { used: number; spent: number } {
    if (ref.kind === 'total' && run !== undefined) this.#isAlive(run, now);
    const life = this.#lifeOf(ref);
    let charged = 0;
    let held = 0;
    for (const { charges } of this.decisions.values()) {
      const charge = charges.get(ref.counter);
      if (charge === undefined || charge.life !== life) continue;
      charged += charge.amount;
      if (charge.isHeld) held += charge.reserved;
    }
    if (ref.kind !== 'bucket') return { used: charged, spent: charged - held };
    const p = BigInt(ref.p!);
    const spent = Number((this.#levelOf(ref, now) + p - 1n) / p);
    return { used: spent + held, spent };
  }

  #waitOf(spend: Spend, run: string | undefined, now: number): number | 'never' | undefined {
    const { used, spent } = this.state(spend, run, now);
    const { amount, ceiling, kind } = spend;
    const step = spend.observe ? undefined : spend.yields?.spentMax;
    const most = Math.min(ceiling, step ?? ceiling);
    if (used + amount <= ceiling && spent + amount <= (step ?? Number.POSITIVE_INFINITY)) return undefined;
    if (amount > most) return 'never';
    if (spent + amount <= most) return HOLD_WAIT_MS;
    if (kind === 'total') return 'never';
    if (kind === 'window') return spend.end! - now;
    if (kind === 'slots') return HOLD_WAIT_MS;
    const level = this.#levelOf(spend, now);
    const p = BigInt(spend.p!);
    const n = BigInt(spend.n!);
    const excess = (room: number) => level - BigInt(room) * p;
    const byUse = excess(ceiling - amount - (used - spent));
    const byStep = step === undefined ? 0n : excess(step - amount);
    const most2 = byUse > byStep ? byUse : byStep;
    return Number((most2 + n - 1n) / n);
  }

  #admit(ask: Ask, candidate: number, spends: readonly Spend[], now: number): void {
    const { id, mintedAt, expiresAt, run } = ask;
    let runLife = 0;
    if (run !== undefined) {
      let state = this.#runs.get(run.marker);
      if (!this.#isAlive(run.marker, now)) {
        state = { life: (state?.life ?? 0) + 1, renewedAt: now, isAlive: true };
        this.#runs.set(run.marker, state);
      }
      state!.renewedAt = Math.max(state!.renewedAt, now);
      runLife = state!.life;
    }
    const charges = new Map(
      spends.map((spend): [string, Charge] => {
        const isHeld = !(spend.kind === 'bucket' && (spend.unit === 'requests' || spend.unit === 'runs'));
        if (!isHeld) this.#fill(spend, spend.amount, now);
        const life = this.#admittedLife(spend, run?.marker, runLife);
        return [spend.counter, { spend, reserved: spend.amount, amount: spend.amount, rank: -1, isHeld, life }];
      }),
    );
    this.decisions.set(id, {
      mintedAt,
      expiresAt,
      candidate,
      run: run?.marker,
      runLife,
      charges,
      isOpen: true,
      rank: -1,
    });
  }

  #move(decision: Decision, charge: Charge, to: { amount: number; isHeld: boolean; now: number }): void {
    const { spend, isHeld, amount } = charge;
    charge.amount = to.amount;
    charge.isHeld = to.isHeld;
    if (spend.kind !== 'bucket') return;
    if (isHeld) {
      if (!to.isHeld) this.#fill(spend, to.amount, to.now);
      return;
    }
    if (to.amount >= amount) {
      this.#fill(spend, to.amount - amount, to.now);
      return;
    }
    const level = this.#levelOf(spend, to.now);
    const p = BigInt(spend.p!);
    const since = BigInt(spend.n!) * BigInt(to.now - decision.mintedAt);
    const rest = BigInt(amount) * p - since;
    const given = min(BigInt(amount - to.amount) * p, rest > 0n ? rest : 0n);
    this.#buckets.set(spend.counter, { level: level - min(given, level), at: to.now });
  }

  #levelOf(ref: CounterRef, now: number): bigint {
    const bucket = this.#buckets.get(ref.counter);
    if (bucket === undefined) return 0n;
    const level = bucket.level - BigInt(ref.n!) * BigInt(Math.max(0, now - bucket.at));
    return level > 0n ? level : 0n;
  }

  #fill(ref: CounterRef, amount: number, now: number): void {
    const level = this.#levelOf(ref, now) + BigInt(amount) * BigInt(ref.p!);
    this.#buckets.set(ref.counter, { level, at: now });
  }

  /** Which of the counters that had this name counts: a total dies with its run. 0 is none. */
  #lifeOf(ref: CounterRef): number {
    if (ref.kind !== 'total') return 1;
    const total = this.#totals.get(ref.counter);
    if (total === undefined) return 0;
    const { run, runLife } = total;
    if (run === undefined) return total.life;
    const state = this.#runs.get(run)!;
    return state.isAlive && state.life === runLife ? total.life : 0;
  }

  #admittedLife(ref: CounterRef, run: string | undefined, runLife: number): number {
    const life = this.#lifeOf(ref);
    if (ref.kind !== 'total') return life;
    const last = this.#totals.get(ref.counter);
    if (life !== 0 && (last?.run !== undefined || run === undefined)) return life;
    const total = { life: life === 0 ? (last?.life ?? 0) + 1 : life, run, runLife };
    this.#totals.set(ref.counter, total);
    return total.life;
  }

  /** Of a counter that only a settlement names: of its decision's run if that goes on, of no run if that is not known. */
  #joinedLife(ref: CounterRef, { run, runLife }: Decision, now: number): number {
    if (run === undefined) return this.#admittedLife(ref, undefined, 0);
    const isIts = this.#runs.get(run)!.life === runLife && this.#isAlive(run, now);
    if (ref.kind === 'total' && !isIts) return -1;
    return this.#admittedLife(ref, run, runLife);
  }

  #isAlive(marker: string, now: number): boolean {
    const run = this.#runs.get(marker);
    if (run === undefined || !run.isAlive) return false;
    const isOpen = [...this.decisions.values()].some((decision) => {
      return decision.isOpen && decision.run === marker && decision.runLife === run.life;
    });
    if (!isOpen && now >= run.renewedAt + this.#idleMs) run.isAlive = false;
    return run.isAlive;
  }
}

/** A counter that only a settlement names: nothing is charged, with the rank of the settlements that did not name it. */
function strange(spend: CounterRef, rank: number): Charge {
  return { spend, reserved: 0, amount: 0, rank, isHeld: false, life: 0 };
}

function longer(a: number | 'never', b: number | 'never'): number | 'never' {
  return a === 'never' || b === 'never' ? 'never' : Math.max(a, b);
}

function shorter(a: number | 'never', b: number | 'never'): number | 'never' {
  if (a === 'never') return b;
  return b === 'never' ? a : Math.min(a, b);
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
