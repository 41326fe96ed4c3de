import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { tempDirectory } from "@aimass/testkit";
import { describe, expect, it } from "vitest";

/** Prints the descriptors of a child of a process that was started with descriptors 7 and 40 of a file open. */
const program = (stdio: string) => `
  import { spawnSync } from "node:child_process";
  import { sealedStdio } from ${JSON.stringify(join(import.meta.dirname, "sealed-stdio.ts"))};
  using sealed = sealedStdio(["ignore", "pipe", "inherit"]);
  const child = spawnSync("ls", ["-l", "/proc/self/fd"], { stdio: ${stdio}, encoding: "utf8" });
  process.stdout.write(child.stdout);`;

describe.skipIf(process.platform !== "linux")("a descriptor that a process was started with", () => {
  const seen = async (stdio: string) => {
    await using directory = await tempDirectory();
    const file = join(directory.path, "secret");
    const command = `exec 7>>"$0" 40>>"$0"; exec "$1" --input-type=module-typescript -e "$2"`;
    const result = spawnSync("bash", ["-c", command, file, process.execPath, program(stdio)], { encoding: "utf8" });
    expect(result.status, result.stderr).toBe(0);
    return result.stdout.includes(file);
  };

  it("is handed on to a child that nobody sealed, and to none that was", async () => {
    expect(await seen('["ignore", "pipe", "inherit"]')).toBe(true);
    expect(await seen("sealed.stdio")).toBe(false);
  });
});
