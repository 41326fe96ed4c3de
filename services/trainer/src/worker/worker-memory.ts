import { getHeapStatistics } from "node:v8";

/** Bytes this process was given for its heap: `--max-old-space-size`, else what the engine chose. */
export function workerMemoryBytes(argv: readonly string[] = process.execArgv): number {
  const given = argv.map((argument) => /^--max-old-space-size=(\d+)$/.exec(argument)?.[1]).find(Boolean);
  return given === undefined ? getHeapStatistics().heap_size_limit : Number(given) * 2 ** 20;
}
