import { stat } from "node:fs/promises";
import { dirname } from "node:path";

/** The nearest thing on the way to a path that is there: the path itself, or what it would be made in. */
export async function existingFolder(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await stat(at);
      return at;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if ((code !== "ENOENT" && code !== "ENOTDIR" && code !== "EACCES") || at === dirname(at)) throw error;
    }
  }
}
