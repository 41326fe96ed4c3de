/** Results of `work` in the order of the items, with at most `atOnce` of them under way. When one fails, or the reader leaves, no other is begun. */
export async function* inOrder<T, R>(
  items: AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underway: Promise<R>[] = [];
  try {
    for await (const item of items) {
      const result = work(item);
      // It is awaited in its turn, which may come after it has failed.
      result.catch(() => {});
      underway.push(result);
      if (underway.length >= atOnce) yield await (underway.shift() as Promise<R>);
    }
    while (underway.length > 0) yield await (underway.shift() as Promise<R>);
  } finally {
    await Promise.allSettled(underway);
  }
}
