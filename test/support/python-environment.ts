import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const home = join(import.meta.dirname, "../../node_modules/.cache/aimass-python");

/** A Python virtual environment with what a requirements.txt pins; made once, and again when the pins change. */
export function pythonEnvironment(requirements: string): string {
  const pins = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 16);
  const folder = join(home, pins);
  const mark = join(folder, "ready");
  if (existsSync(mark)) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync("python3", ["-m", "venv", folder], { stdio: "inherit" });
  const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements];
  execFileSync(join(folder, "bin/python"), install, { stdio: "inherit" });
  writeFileSync(mark, "");
  return folder;
}
