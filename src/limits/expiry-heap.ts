/** What stands in the heap: it keeps its own place, so that it can be taken out of the middle. */
export interface Expiring {
  readonly id: string;
  readonly expiresAt: number;
  heapIndex: number;
}

function isBefore(a: Expiring, b: Expiring): boolean {
  return a.expiresAt < b.expiresAt || (a.expiresAt === b.expiresAt && a.id < b.id);
}

/** A binary heap, soonest expiry first, then by id, so that every store ends them in one order. An item that expires after all others is pushed in O(1), any is removed in O(log n). */
export class ExpiryHeap<T extends Expiring = Expiring> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  /** The item that expires first. */
  get first(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#up(item, this.#items.length - 1);
  }

  /** Takes out an item that is in the heap. */
  remove(item: T): void {
    const index = item.heapIndex;
    const last = this.#items.pop()!;
    item.heapIndex = -1;
    if (last !== item) this.#settle(last, index);
  }

  /** Finds an item's new place after its expiry was changed. */
  moved(item: T): void {
    this.#settle(item, item.heapIndex);
  }

  #settle(item: T, index: number): void {
    this.#up(item, index);
    if (item.heapIndex === index) this.#down(item, index);
  }

  #up(item: T, from: number): void {
    const items = this.#items;
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = items[parentIndex]!;
      if (!isBefore(item, parent)) break;
      items[index] = parent;
      parent.heapIndex = index;
      index = parentIndex;
    }
    items[index] = item;
    item.heapIndex = index;
  }

  #down(item: T, from: number): void {
    const items = this.#items;
    let index = from;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= items.length) break;
      const right = items[childIndex + 1];
      if (right !== undefined && isBefore(right, items[childIndex]!)) childIndex++;
      const child = items[childIndex]!;
      if (!isBefore(child, item)) break;
      items[index] = child;
      child.heapIndex = index;
      index = childIndex;
    }
    items[index] = item;
    item.heapIndex = index;
  }
}
