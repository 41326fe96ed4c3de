import { systemClock } from "@aimass/core";
import { Bubblewrap } from "../bubblewrap.ts";

// Runs a script that never ends in the folder given, so that a test can end the process that watches over it.
const [directory = "", word = ""] = process.argv.slice(2);
await new Bubblewrap({ paths: [], hidden: [] }).run({
  command: ["sh", "-c", "trap '' TERM; sleep 60 & echo up; while true; do sleep 1; done", word],
  directory,
  environment: {},
  limits: { seconds: 60, memoryBytes: 2 ** 28, cpus: 1, processes: 64, diskBytes: 2 ** 24, gpus: [] },
  onLine: (line) => console.log(line),
  onMetric: () => {},
  signal: new AbortController().signal,
  clock: systemClock,
});
