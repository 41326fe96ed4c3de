import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./rules/source-files.ts";

/** The check, and the tests of the packages that changed since they last passed here, or that stand on one that did. Arguments go to turbo. */
const given = process.argv.slice(2);
const tasks = given.length === 0 ? ["check", "test"] : given;
const { status } = spawnSync(
  join(root, "node_modules", ".bin", "turbo"),
  ["run", ...tasks, "--output-logs=new-only", "--no-update-notifier"],
  { cwd: root, stdio: "inherit", env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" } },
);
process.exitCode = status ?? 1;
