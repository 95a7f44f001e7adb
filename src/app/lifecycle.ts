import type { Health } from '../envoy/health.ts';

/** `draining`: told to end, and still answering. `stopped`: decides nothing any more. */
export type LifecycleState = 'starting' | 'serving' | 'draining' | 'stopped';

export interface Readiness {
  readonly ok: boolean;
  /** Why not, in words for an operator; empty where `ok`. */
  readonly why: readonly string[];
}

const WHY: Readonly<Record<LifecycleState, string | undefined>> = {
  starting: 'listeners are not bound yet',
  serving: undefined,
  draining: 'the process is ending',
  stopped: 'the process has stopped deciding',
};

/**
 * Where a process stands between its start and its end, and whether calls should be sent to it. gRPC health says the same.
 * Whether it lives is not asked here: whoever gets an answer from its loop knows.
 */
export class Lifecycle {
  readonly #health: Health;
  readonly #needs: (() => string | undefined)[] = [];
  #state: LifecycleState = 'starting';

  constructor(health: Health) {
    this.#health = health;
  }

  get state(): LifecycleState {
    return this.#state;
  }

  /** Only forwards: what is draining never serves again. */
  enter(state: Exclude<LifecycleState, 'starting'>): void {
    const order: readonly LifecycleState[] = ['starting', 'serving', 'draining', 'stopped'];
    if (order.indexOf(state) > order.indexOf(this.#state)) this.#state = state;
    this.update();
  }

  /** One more thing that readiness depends on: why it is not met, or undefined. Call `update` where that changes. */
  needs(unmet: () => string | undefined): void {
    this.#needs.push(unmet);
    this.update();
  }

  /** Tells gRPC health what `ready` says now. */
  update(): void {
    this.#health.set(this.ready().ok);
  }

  ready(): Readiness {
    const why = [WHY[this.#state], ...this.#needs.map((unmet) => unmet())].filter((text) => text !== undefined);
    return { ok: why.length === 0, why };
  }
}
