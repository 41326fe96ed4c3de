import { execFile } from "node:child_process";
import { chmod, chown, mkdir, writeFile } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { promisify } from "node:util";
import { asDiskFull } from "../worker/disk-full.ts";
import { sandboxFolders } from "./bubblewrap-arguments.ts";

const run = promisify(execFile);

/** Folders of a scratch folder that a script writes to. */
const writableFolders = ["code", "out", sandboxFolders.tmp, sandboxFolders.shm] as const;

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
      await chmod(directory, 0o755);
      await run("chmod", ["--recursive", "a+rX", join(directory, "data"), etc]);
      await chown(directory, uid, uid);
      await run("chown", ["--recursive", "--no-dereference", `${uid}:${uid}`, ...writable]);
    }
    return writable;
  } catch (error) {
    throw asDiskFull(error);
  }
}

/** Lets a uid that owns nothing pass through the folders between `above` and a scratch folder: pass, not look into. */
export async function openWay(directory: string, above: string): Promise<void> {
  for (let folder = dirname(directory); folder.startsWith(`${above}${sep}`); folder = dirname(folder))
    await chmod(folder, 0o711);
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
