import type { PageInfo, PageRequest } from "@aimass/api/common";
import { AimassError } from "@aimass/core";

/** The part of a list that is wanted: at most `size` items after the key `after`. */
export interface Page {
  readonly size: number;
  /** Undefined for the first page. */
  readonly after: string | undefined;
}

/** Reads a page request. Throws INVALID_ARGUMENT for a size over 1000 and for a token that is none of ours. */
export function readPage(request: PageRequest | undefined): Page {
  const size = request?.size ?? 0;
  if (size < 0 || size > 1000) {
    throw new AimassError("INVALID_ARGUMENT", `A page of ${size} items is not possible; the size is 1 to 1000.`, {
      field: "page.size",
    });
  }
  return { size: size === 0 ? 100 : size, after: readToken(request?.token ?? "") };
}

/** Makes a page of `size + 1` rows: the rows to show, and where the list goes on. */
export function toPage<Row>(
  rows: readonly Row[],
  page: Page,
  keyOf: (row: Row) => string,
): { rows: readonly Row[]; info: Pick<PageInfo, "nextToken"> } {
  const shown = rows.slice(0, page.size);
  const last = shown.at(-1);
  const more = rows.length > page.size && last !== undefined;
  return { rows: shown, info: { nextToken: more ? Buffer.from(`~${keyOf(last)}`).toString("base64url") : "" } };
}

function readToken(token: string): string | undefined {
  if (token === "") return undefined;
  const text = Buffer.from(token, "base64url").toString("utf8");
  if (text.startsWith("~")) return text.slice(1);
  throw new AimassError("INVALID_ARGUMENT", "The page token is not one this service gave.", {
    field: "page.token",
    remedy: "Start again without a token.",
  });
}
