/**
 * Which of many to put aside: what costs least to bring back for the room it takes, and was not used for longest.
 *
 * @see GreedyDual-Size; Cao and Irani, Cost-Aware WWW Proxy Caching Algorithms, USITS 1997
 */
export class EvictionOrder<T> {
  readonly #priorities = new Map<T, number>();
  /** The priority of what was put aside last: what is used from now on is worth that much more. */
  #floor = 0;

  /** Notes a use of an item that takes `size` (any unit, above 0) and costs `cost` (any unit) to bring back. */
  use(item: T, cost: number, size: number): void {
    this.#priorities.set(item, this.#floor + cost / size);
  }

  /** Takes out the item to put aside among those that `may` go; undefined when none may. */
  take(may: (item: T) => boolean): T | undefined {
    let least: { item: T; priority: number } | undefined;
    for (const [item, priority] of this.#priorities) {
      if ((least === undefined || priority < least.priority) && may(item)) least = { item, priority };
    }
    if (least === undefined) return undefined;
    this.#floor = least.priority;
    this.#priorities.delete(least.item);
    return least.item;
  }

  /** Forgets an item that is gone for another reason. */
  forget(item: T): void {
    this.#priorities.delete(item);
  }
}
