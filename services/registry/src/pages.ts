import type { PageInfo } from "@aimass/api/common";
import type { AimassError } from "@aimass/core";
import type { RequestedPage } from "@aimass/rpc";
import { invalid } from "./names.ts";

/** A part of a list that is wanted: up to `size` items after `after`. */
export interface Page {
  readonly size: number;
  /** The key of the last item of the page before; undefined for the first page. */
  readonly after: readonly string[] | undefined;
}

/** Items with the key of the last one when more may follow. */
export interface Slice<T> {
  readonly items: readonly T[];
  readonly next: readonly string[] | undefined;
}

/** What a response says about the rest of the list. */
export function pageInfo(page: Pick<RequestedPage, "tokenOf">, slice: Slice<unknown>): Pick<PageInfo, "nextToken"> {
  return { nextToken: page.tokenOf(slice.next) };
}

/** Cuts a slice out of `size + 1` rows that were asked for. */
export function sliceOf<Row, T>(
  rows: readonly Row[],
  size: number,
  read: { item: (row: Row) => T; key: (row: Row) => readonly string[] },
): Slice<T> {
  const shown = rows.slice(0, size);
  const last = shown.at(-1);
  return {
    items: shown.map(read.item),
    next: rows.length > size && last !== undefined ? read.key(last) : undefined,
  };
}

/**
 * Fills a page with the items that pass `admit`, fetching on until it is full or the list ends: what a caller may not see takes no room and leaves no gap.
 */
export async function fillPage<T>(
  page: Page,
  fetch: (after: readonly string[] | undefined, limit: number) => Promise<readonly T[]>,
  read: { key: (item: T) => readonly string[]; admit: (item: T) => boolean },
): Promise<Slice<T>> {
  const items: T[] = [];
  // Small pages of a large library of which little is visible should not take a query for each item.
  const limit = Math.max(page.size + 1, 200);
  let after = page.after;
  while (true) {
    const fetched = await fetch(after, limit);
    for (const item of fetched) {
      if (!read.admit(item)) continue;
      if (items.length === page.size) return { items, next: read.key(items.at(-1) as T) };
      items.push(item);
    }
    if (fetched.length < limit) return { items, next: undefined };
    after = read.key(fetched.at(-1) as T);
  }
}

/** A token that no page of this list gave. */
export function strangeToken(): AimassError {
  return invalid("page.token", "The page token is not one of this list.", "Start without a token.");
}
