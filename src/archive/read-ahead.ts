/** Asks for several things at a time and takes the answers in order: one round trip after the other would cost more than the work in each. */

const ahead = 8;

/** The results of `work` in the order of `items`. A few are under way at a time; who leaves early does not wait for those. */
export async function* readAhead<Item, Result>(
  items: Iterable<Item>,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const rest = items[Symbol.iterator]();
  const underWay: Promise<Result>[] = [];
  for (;;) {
    while (underWay.length < ahead) {
      const next = rest.next();
      if (next.done === true) break;
      const result = work(next.value);
      result.catch(() => {}); // nobody may wait for it any more
      underWay.push(result);
    }
    const first = underWay.shift();
    if (first === undefined) return;
    yield await first;
  }
}
