import { AimassError } from "@aimass/core";

const defaultSize = 100;
const largestSize = 1000;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Reads a page request whose tokens are job ids. Throws INVALID_ARGUMENT. */
export function readPage(page: { size: number; token: string } | undefined): { size: number; before: string } {
  const size = page?.size || defaultSize;
  const before = page?.token ?? "";
  if (size < 0 || size > largestSize) {
    throw new AimassError("INVALID_ARGUMENT", `A page of ${size} jobs was asked for.`, {
      field: "page.size",
      remedy: `Ask for 1 to ${largestSize}.`,
    });
  }
  if (before !== "" && !uuid.test(before)) {
    throw new AimassError("INVALID_ARGUMENT", "The page token is not one of this list.", { field: "page.token" });
  }
  return { size, before };
}
