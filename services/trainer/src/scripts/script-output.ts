import type { Readable } from "node:stream";
import type { Clock } from "@aimass/core";
import { LineReader } from "./line-reader.ts";

/** What one stream may print a second; a script that prints more waits for its reader. */
const bytesPerWindow = 1024 * 1024;
const windowMs = 1000;
/** Longest wait for the end of a stream once nobody of the script is left: what got away without isolation may hold it open for good. */
const endsWithinMs = 2000;

/** What reads a stream. */
export interface OutputReader {
  /** Reads what is left as fast as it can. To be called when nobody writes any more. Resolves when every line was told. */
  finish(): Promise<void>;
}

/** Reads what a script prints, line by line, no faster than 1 MiB/s. */
export function readOutput(
  stream: Readable,
  { clock, onLine }: { clock: Clock; onLine: (line: string) => void },
): OutputReader {
  const lines = new LineReader(onLine);
  const closed = new Promise<void>((resolve) => stream.once("close", resolve));
  let windowEnds = Number.NEGATIVE_INFINITY;
  let bytes = 0;
  let isFinishing = false;
  stream.on("data", (chunk: Buffer) => {
    lines.push(chunk);
    const now = clock.monotonic();
    if (now >= windowEnds) {
      windowEnds = now + windowMs;
      bytes = 0;
    }
    bytes += chunk.length;
    if (bytes < bytesPerWindow || isFinishing) return;
    stream.pause();
    clock.timer(windowEnds - now, () => stream.resume());
  });
  // Whoever held the other end was killed.
  stream.on("error", () => {});
  return {
    async finish() {
      isFinishing = true;
      stream.resume();
      using _patience = clock.timer(endsWithinMs, () => stream.destroy());
      await closed;
      lines.end();
    },
  };
}
