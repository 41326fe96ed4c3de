import type { PageRequest } from "@aimass/api/common";
import { AimassError } from "@aimass/core";

const defaultSize = 100;
const maxSize = 1000;

/** Reads a page request: how many, and after which key. Throws INVALID_ARGUMENT. */
export function readPage(page: PageRequest | undefined): { size: number; after: string } {
  const size = page?.size || defaultSize;
  if (size < 1 || size > maxSize) {
    throw new AimassError("INVALID_ARGUMENT", `page.size is ${size}.`, {
      field: "page.size",
      remedy: `It must be from 1 to ${maxSize}, or 0 for ${defaultSize}.`,
    });
  }
  return { size, after: Buffer.from(page?.token ?? "", "base64url").toString("utf8") };
}

/** The token of the page after a key. */
export function pageToken(key: string): string {
  return Buffer.from(key, "utf8").toString("base64url");
}
