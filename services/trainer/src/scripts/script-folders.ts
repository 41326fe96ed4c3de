import { execFile } from "node:child_process";
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { AimassError } from "@aimass/core";
import { sandboxFolders } from "./bubblewrap-arguments.ts";

/** Folders of a scratch folder that a script writes to. */
export const writableFolders = ["code", "out", sandboxFolders.tmp, sandboxFolders.shm] as const;

/** Who a script is: to the machine (absent: who we are), and to itself. */
export interface ScriptUser {
  readonly uid: number | undefined;
  readonly uidInside: number;
}

/** Makes what is missing in a scratch folder. Errors: RESOURCE_EXHAUSTED (no room). */
export async function prepareFolders(directory: string, { uid, uidInside }: ScriptUser): Promise<readonly string[]> {
  const writable = writableFolders.map((name) => join(directory, name));
  try {
    const etc = join(directory, sandboxFolders.etc);
    for (const folder of [...writable, join(directory, "data"), etc]) await mkdir(folder, { recursive: true });
    for (const [name, text] of Object.entries(systemNames(uidInside))) await writeFile(join(etc, name), text);
    if (uid !== undefined) {
      // Of the rest the script only reads, and what we write everybody may read.
      for (const folder of [directory, join(directory, "data"), etc]) await chmod(folder, 0o755);
      await chown(directory, uid, uid);
      await promisify(execFile)("chown", ["--recursive", "--no-dereference", `${uid}:${uid}`, ...writable]);
    }
    return writable;
  } catch (error) {
    throw asFullDisk(error);
  }
}

/** An error of the disk as a caller should read it. */
export function asFullDisk(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return new AimassError("RESOURCE_EXHAUSTED", "The disk of the machine that was to run the script is full.", {
    remedy: "Make room in its TMPDIR, then run the job again.",
    cause: error,
  });
}

/** Just enough for programs that ask who they are and where localhost is. */
function systemNames(uid: number): Readonly<Record<string, string>> {
  return {
    passwd: `root:x:0:0:root:/:/bin/false\nscript:x:${uid}:${uid}:script:/tmp:/bin/sh\n`,
    group: `root:x:0:\nscript:x:${uid}:\n`,
    hosts: "127.0.0.1 localhost script\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
  };
}
