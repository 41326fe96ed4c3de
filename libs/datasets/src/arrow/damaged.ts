import { badFile } from "../cells/bad-cell.ts";

/** What to do about a file that its writer left unreadable. */
export const writeAnew = "Write the file anew, for instance with pyarrow.feather.write_feather.";

/** INVALID_ARGUMENT for a file that contradicts itself; `how` ends a sentence. */
export function damaged(how: string, cause?: unknown): Error {
  return badFile(`The Arrow file is damaged: ${how}.`, writeAnew, cause);
}
