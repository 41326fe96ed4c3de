import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Finding, ok, warning } from "./finding.ts";

const run = promisify(execFile);
const timeoutMs = 10_000;
const programs = ["bwrap", "setpriv", "prlimit"];

/**
 * Whether training scripts can be isolated here: bubblewrap is there and the kernel lets it. All else runs without. The trainer, which knows its own
 * variables and account, has the last word when a script is queued.
 */
export async function checkSandbox(platform: string, path: string): Promise<Finding> {
  if (platform !== "linux") {
    return warning(
      "sandbox",
      "Training scripts can be isolated on Linux alone.",
      "Run a trainer there to train by script.",
    );
  }
  for (const program of programs) {
    const missing = await run(program, ["--version"], { env: { PATH: path }, timeout: timeoutMs }).then(
      () => false,
      (error: NodeJS.ErrnoException) => error.code === "ENOENT",
    );
    if (!missing) continue;
    const remedy =
      "Debian, Ubuntu: apt-get install bubblewrap util-linux. Nothing but `aimass train --script` needs it.";
    return warning("sandbox", `${program} is missing, so training scripts cannot be isolated.`, remedy);
  }
  const nothing = ["--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "true"];
  try {
    await run("bwrap", nothing, { env: { PATH: path }, timeout: timeoutMs });
    return ok("sandbox", "Training scripts can be isolated (bubblewrap).");
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr ?? error).trim();
    return warning(
      "sandbox",
      `Training scripts cannot be isolated: ${said.slice(0, 200)}`,
      "Allow user namespaces: sysctl user.max_user_namespaces above 0; on Debian kernel.unprivileged_userns_clone=1, on Ubuntu " +
        "kernel.apparmor_restrict_unprivileged_userns=0; in a container what deploy/compose/scripts.yaml gives.",
    );
  }
}
