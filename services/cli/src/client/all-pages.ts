/** All items of a paged list. */
export async function allPages<A extends { page?: { nextToken: string } | undefined }, T>(
  list: (page: { size: number; token: string }) => Promise<A>,
  items: (answer: A) => readonly T[],
): Promise<T[]> {
  const all: T[] = [];
  let token = "";
  do {
    const answer = await list({ size: 1000, token });
    all.push(...items(answer));
    token = answer.page?.nextToken ?? "";
  } while (token !== "");
  return all;
}
