/** Asks for several things at a time and takes the answers in order: one round trip after the other would cost more than the work in each. */
import { setImmediate as turn } from 'node:timers/promises';

const ahead = 8;

/**
 * The results of `work` in the order of `items`. A few are under way at a time; who leaves early does not wait for those. Work that needs no
 * waiting does not hold up the event loop: it turns after as many.
 */
export async function* readAhead<Item, Result>(
  items: Iterable<Item>,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const rest = items[Symbol.iterator]();
  const underWay: Promise<Result>[] = [];
  for (let given = 1; ; given += 1) {
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
    if (given % ahead === 0) await turn();
  }
}
