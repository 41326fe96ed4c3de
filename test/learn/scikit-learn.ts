import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { findProgram, judgeNeeds, type NeedsVerdict, pythonWith } from "@aimass/testkit";

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

/** The interpreter of a virtual environment with scikit-learn as pinned in requirements.txt. */
export function pythonWithScikitLearn(): string {
  return pythonWith("scikit-learn", join(import.meta.dirname, "requirements.txt"));
}
