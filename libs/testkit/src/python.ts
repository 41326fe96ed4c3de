import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "./programs.ts";

const cache = join(import.meta.dirname, "../../../node_modules/.cache");

/**
 * The interpreter of a virtual environment with exactly what a requirements file pins, in `node_modules/.cache/aimass-<name>`. It is made once, and again when the
 * pins change: that needs python3 with venv, and PyPI.
 */
export function pythonWith(name: string, requirements: string): string {
  const home = join(cache, `aimass-${name}`);
  const wanted = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 16);
  const folder = join(home, wanted);
  const python = join(folder, "bin/python");
  const mark = join(folder, "ready");
  if (existsSync(mark)) return python;
  rmSync(home, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync(findProgram("python3") ?? "python3", ["-m", "venv", folder], { stdio: "inherit" });
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", requirements];
  execFileSync(python, pip, { stdio: "inherit" });
  writeFileSync(mark, "");
  return python;
}
