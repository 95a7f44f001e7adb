/** What admitted decisions hold, by decision id: open ones until they end, ended ones for corrections; both bounded. */

import type { Rate } from './bucket.ts';
import type { Counter } from './counters.ts';
import { ExpiryHeap } from './expiry-heap.ts';
import type { Run } from './runs.ts';
import { RANK } from './store.ts';

/** One spend of a reservation. */
export interface HeldSpend {
  /** One that is gone where there was none to charge: its window was over, or there was no room. */
  counter: Counter;
  /** Of a bucket. */
  readonly rate: Rate | undefined;
  /** Whether expiry keeps the amount. */
  readonly isKept: boolean;
  readonly reserved: number;
  charged: number;
  rank: number;
  /** Whether `reserved` stands in the counter's `held`. */
  isHeld: boolean;
}

/** The open reservations of one customer. */
export interface Customer {
  readonly name: string;
  readonly open: ExpiryHeap<Reservation>;
}

export interface Reservation {
  readonly id: string;
  readonly customer: Customer;
  readonly mintedAt: number;
  expiresAt: number;
  /** Candidate that was charged; undefined: it was settled first. */
  readonly candidate: number | undefined;
  readonly spends: HeldSpend[];
  run: Run | undefined;
  /** Highest rank that was settled; a counter that those settlements did not name stands at 0 with it. */
  rank: number;
  isOpen: boolean;
  /** Place in its customer's heap; −1 when it is not open. */
  heapIndex: number;
  isChanged: boolean;
}

export interface ReservationsOptions {
  /** Open reservations at most. */
  readonly openMax: number;
  /** Ended reservations at most; past it the oldest are forgotten, and what was minted no later than they is too late. */
  readonly closedMax: number;
  /** Ended ones are forgotten this long after they were minted. */
  readonly settleWithinMs: number;
  readonly onForgotten: (forgottenUntil: number) => void;
}

export class ReservationTable {
  readonly #byId = new Map<string, Reservation>();
  readonly #customers = new Map<string, Customer>();
  readonly #options: ReservationsOptions;
  /** Ended ones in the order they ended, from `#closedHead` on. */
  #closed: (Reservation | undefined)[] = [];
  #closedHead = 0;
  #openCount = 0;
  #forgottenUntil = Number.NEGATIVE_INFINITY;

  constructor(options: ReservationsOptions) {
    this.#options = options;
  }

  get openCount(): number {
    return this.#openCount;
  }

  get closedCount(): number {
    return this.#closed.length - this.#closedHead;
  }

  get hasRoom(): boolean {
    return this.#openCount < this.#options.openMax;
  }

  get(id: string): Reservation | undefined {
    return this.#byId.get(id);
  }

  /** Customers with open reservations. */
  customers(): IterableIterator<Customer> {
    return this.#customers.values();
  }

  customer(name: string): Customer | undefined {
    return this.#customers.get(name);
  }

  /** Whether a decision minted then can no longer be settled, or told from one that was. */
  isTooLate(mintedAt: number, nowMs: number): boolean {
    return nowMs >= mintedAt + this.#options.settleWithinMs;
  }

  /** Whether an id that is not here may be one that was forgotten for want of room. */
  isForgotten(mintedAt: number): boolean {
    return mintedAt <= this.#forgottenUntil;
  }

  /** Forgets as an earlier process did; ids minted no later are too late. */
  forgetUntil(mintedAt: number): void {
    this.#forgottenUntil = Math.max(this.#forgottenUntil, mintedAt);
  }

  /** Remembers a reservation: open (from its admission), or ended (its settlement came first). */
  add(
    facts: Pick<Reservation, 'id' | 'mintedAt' | 'expiresAt' | 'candidate' | 'spends' | 'run' | 'isOpen'>,
    customerName: string,
  ): Reservation {
    let customer = this.#customers.get(customerName);
    if (customer === undefined) {
      customer = { name: customerName, open: new ExpiryHeap<Reservation>() };
      if (facts.isOpen) this.#customers.set(customerName, customer);
    }
    const reservation: Reservation = {
      id: facts.id,
      customer,
      mintedAt: facts.mintedAt,
      expiresAt: facts.expiresAt,
      candidate: facts.candidate,
      spends: facts.spends,
      run: facts.run,
      rank: RANK.reserved,
      isOpen: facts.isOpen,
      heapIndex: -1,
      isChanged: false,
    };
    this.#byId.set(reservation.id, reservation);
    if (facts.isOpen) {
      customer.open.push(reservation);
      this.#openCount++;
    } else {
      this.#closed.push(reservation);
    }
    return reservation;
  }

  close(reservation: Reservation): void {
    const { customer } = reservation;
    reservation.isOpen = false;
    customer.open.remove(reservation);
    this.#openCount--;
    if (customer.open.size === 0) this.#customers.delete(customer.name);
    this.#closed.push(reservation);
  }

  extend(reservation: Reservation, expiresAt: number): void {
    reservation.expiresAt = expiresAt;
    reservation.customer.open.moved(reservation);
  }

  /** Forgets ended reservations that are past their time or their bound, oldest first. */
  trim(nowMs: number): void {
    while (this.#closedHead < this.#closed.length) {
      const oldest = this.#closed[this.#closedHead]!;
      const isOver = this.isTooLate(oldest.mintedAt, nowMs);
      if (!isOver && this.closedCount <= this.#options.closedMax) break;
      if (!isOver && oldest.mintedAt > this.#forgottenUntil) {
        this.#forgottenUntil = oldest.mintedAt;
        this.#options.onForgotten(this.#forgottenUntil);
      }
      this.#byId.delete(oldest.id);
      this.#closed[this.#closedHead] = undefined;
      this.#closedHead++;
    }
    if (this.#closedHead > 1024 && this.#closedHead * 2 > this.#closed.length) {
      this.#closed = this.#closed.slice(this.#closedHead);
      this.#closedHead = 0;
    }
  }
}
