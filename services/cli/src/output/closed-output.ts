import { plainLine } from "./plain-text.ts";

/**
 * Ends this process when its standard output cannot be written any more: quietly with 0 when whoever read it has gone, as `head` does once it has enough,
 * otherwise with 1 and why. A command that watches the stream itself tells what came of its results.
 */
export function endWithOutput(): void {
  const { stdout, stderr } = process;
  const onError = (error: NodeJS.ErrnoException) => {
    if (stdout.listeners("error").some((listener) => listener !== onError)) return;
    if (error.code === "EPIPE") process.exit(0);
    const why = error.code ?? plainLine(error.message);
    const remedy = error.code === "ENOSPC" ? "Make room, or send it elsewhere." : "Send it elsewhere.";
    stderr.write(`error: Standard output cannot be written (${why}). ${remedy}\n`, () => process.exit(1));
  };
  stdout.on("error", onError);
  // Nobody is left to be told.
  stderr.on("error", () => {});
}
