import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram, judgeNeeds, type NeedsVerdict } from "@aimass/testkit";

const requirements = join(import.meta.dirname, "requirements.txt");
const home = join(import.meta.dirname, "../../node_modules/.cache/aimass-scikit-learn");
const venv = "python3 -m venv (with pip)";
const system = () => findProgram("python3") ?? "python3";

/** Whether scikit-learn can be had here: it needs Python with its virtual environments. */
export function judgeScikitLearn(): NeedsVerdict {
  const find = (need: string) => (need === venv ? findVenv() : findProgram(need));
  return judgeNeeds({ level: "ci", needs: ["python3", venv], env: process.env, find });
}

function findVenv(): string | undefined {
  return spawnSync(system(), ["-c", "import venv, ensurepip"]).status === 0 ? venv : undefined;
}

/** The interpreter of a virtual environment with scikit-learn as pinned in requirements.txt, made once and again when the pins change. */
export function pythonWithScikitLearn(): string {
  const wanted = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 16);
  const folder = join(home, wanted);
  const python = join(folder, "bin/python");
  const mark = join(folder, "ready");
  if (existsSync(mark)) return python;
  rmSync(home, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  execFileSync(system(), ["-m", "venv", folder], { stdio: "inherit" });
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements];
  execFileSync(python, pip, { stdio: "inherit" });
  writeFileSync(mark, "");
  return python;
}
