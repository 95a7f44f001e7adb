/** Ops of adjustments that were made, so that each is made once; bounded, the oldest are forgotten first. */
export class Ops {
  readonly #max: number;
  readonly #made = new Set<string>();

  constructor({ max }: { max: number }) {
    this.#max = max;
  }

  has(op: string): boolean {
    return this.#made.has(op);
  }

  add(op: string): void {
    this.#made.add(op);
    if (this.#made.size <= this.#max) return;
    for (const oldest of this.#made) {
      this.#made.delete(oldest);
      return;
    }
  }
}
