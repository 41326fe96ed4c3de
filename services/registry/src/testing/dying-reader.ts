/** A process that has a file read apart and waits for the end of that; to be killed meanwhile. Prints how far it is. */
import { FileArtifactStore } from "@aimass/artifacts";
import { readApart } from "../datasets/apart/reading-process.ts";

const [directory = "", sha256 = ""] = process.argv.slice(2);
const artifact = await new FileArtifactStore({ directory }).open(sha256);
const bounds = { timeoutMs: 300_000, memoryLimitBytes: 2 ** 30 };
const job = { kind: "profile", limits: {}, types: new Map() } as const;
process.send?.("reading");
await readApart(job, artifact, bounds, new AbortController().signal);
process.send?.("done");
