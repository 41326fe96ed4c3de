import { statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { bytes } from "../output/format.ts";
import { existingFolder } from "./existing-folder.ts";
import { type Finding, ok, problem, warning } from "./finding.ts";

/** What a program can know of the runtime it runs in. */
export interface Runtime {
  /** "24.9.0". */
  readonly node: string;
  readonly platform: string;
  /** Of Linux: absent where the C library is another one. */
  readonly glibc?: string | undefined;
}

export function thisRuntime(): Runtime {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return { node: process.versions.node, platform: process.platform, glibc: header.glibcVersionRuntime };
}

/** The oldest Node that runs TypeScript as it is. */
const oldestNode = [22, 18] as const;

/** Whether the services run in this runtime: they are TypeScript, and the libraries they load want glibc. */
export function judgeRuntime({ node, platform, glibc }: Runtime): Finding {
  const [major = 0, minor = 0] = node.split(".").map(Number);
  if (major < oldestNode[0] || (major === oldestNode[0] && minor < oldestNode[1])) {
    const remedy = "Install Node 24 LTS from https://nodejs.org, or run `npm ci`, which brings it along.";
    return problem("node", `Node is ${node}; the services need ${oldestNode.join(".")} or newer.`, remedy);
  }
  if (platform === "linux" && glibc === undefined) {
    const remedy = "Use a distribution with glibc, for instance Debian, or the container image of deploy/.";
    return problem("node", `Node is ${node} without glibc, which ONNX Runtime and PostgreSQL's binaries need.`, remedy);
  }
  if (platform === "win32") {
    return problem("node", "Windows runs none of the services.", "Run them in WSL 2 or in containers.");
  }
  return ok("node", `Node is ${node}.`);
}

/** Memory that a mesh may still take; a container's limit counts. */
export function checkMemory(leastBytes: number, availableBytes = process.availableMemory()): Finding {
  const constrained = process.constrainedMemory();
  const total = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  const found = `${bytes(Math.min(availableBytes, total))} of ${bytes(total)} memory are available`;
  if (availableBytes >= leastBytes) return ok("memory", `${found}.`);
  return warning(
    "memory",
    `${found}; a mesh without models takes about ${bytes(leastBytes)}.`,
    "End other programs, give the container or machine more, or start fewer replicas with --replicas 1.",
  );
}

/** Room, and names for files, where the data directory is or will be. */
export async function checkDisk(directory: string, leastBytes: number): Promise<Finding> {
  const folder = await existingFolder(directory);
  const { bavail, bsize, ffree, files } = await statfs(folder);
  const free = bavail * bsize;
  const found = `${bytes(free)} are free on the disk of ${directory}`;
  const remedy = `Remove what is not needed, for instance old files in ${directory}/logs, or choose another disk with --data DIR.`;
  if (free < leastBytes) return problem("disk", `${found}; at least ${bytes(leastBytes)} should be.`, remedy);
  // File systems that make inodes as they go report none at all.
  if (files > 0 && ffree < leastInodes) return problem("disk", `${found}, and only ${ffree} inodes for files.`, remedy);
  return ok("disk", `${found}.`);
}

/** PostgreSQL alone makes some 1 000 files. */
const leastInodes = 5000;
