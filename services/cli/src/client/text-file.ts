import { readFileSync } from "node:fs";
import { AimassError } from "@aimass/core";

/** A file that the user named, as text. Errors: NOT_FOUND with why it cannot be read. */
export function readTextFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new AimassError("NOT_FOUND", `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`, {
      remedy: "Check the path.",
    });
  }
}
