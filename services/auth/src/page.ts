import type { PageInfo } from "@aimass/api/common";
import { type RequestedPage, readPage as readRequestedPage } from "@aimass/rpc";
import type { HandlerContext } from "@connectrpc/connect";

/** The part of a list that is wanted: at most `size` items after the key `after`. */
export interface Page {
  readonly size: number;
  /** Undefined for the first page. */
  readonly after: string | undefined;
}

/** A page that a call asks for. */
export interface AskedPage extends Page, Pick<RequestedPage, "tokenOf"> {}

/** Reads which page a call asks for. Errors: INVALID_ARGUMENT. */
export function readPage(context: HandlerContext, request: Parameters<typeof readRequestedPage>[1]): AskedPage {
  const { size, after, tokenOf } = readRequestedPage(context, request);
  return { size, after: after?.[0], tokenOf };
}

/** Makes a page of `size + 1` rows: the rows to show, and where the list goes on. */
export function toPage<Row>(
  rows: readonly Row[],
  page: AskedPage,
  keyOf: (row: Row) => string,
): { rows: readonly Row[]; info: Pick<PageInfo, "nextToken"> } {
  const shown = rows.slice(0, page.size);
  const last = shown.at(-1);
  const more = rows.length > page.size && last !== undefined;
  return { rows: shown, info: { nextToken: page.tokenOf(more ? [keyOf(last)] : undefined) } };
}
