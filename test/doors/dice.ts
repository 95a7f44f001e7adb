/** Chance that can be had again: what a seed throws, it always throws (mulberry32, public domain). */
export class Dice {
  #state: number;

  /** `seed`: an integer; of a larger one the low 32 bits count. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** An integer from 0 to `sides - 1`; `sides` from 1 to 2^32. */
  below(sides: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * sides);
  }

  of<T>(list: readonly T[]): T {
    const found = list[this.below(list.length)];
    if (found === undefined) throw new RangeError('nothing to choose from');
    return found;
  }
}

/** An integer of the environment, for longer runs and other seeds than the suite's; `otherwise` where it is not set. */
export function fromEnv(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return otherwise;
  if (!/^\d{1,9}$/.test(text)) throw new RangeError(`${name}: expected an integer, found \`${text}\``);
  return Number(text);
}
