import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { OnnxCase } from "./case.ts";

const caseTimeoutMs = 30_000;

/** Runs cases with onnxruntime-node itself; the result says by name why a case fails there, or undefined when it passes. */
export async function runDirectly(
  cases: readonly OnnxCase[],
  processes: number,
): Promise<Map<string, string | undefined>> {
  const results = new Map<string, string | undefined>();
  const waiting = [...cases];
  const work = async () => {
    let child = await startChild();
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
      const outcome = await runOne(child, one);
      results.set(one.name, outcome.problem);
      if (outcome.died) child = await startChild();
    }
    child.disconnect();
  };
  await Promise.all(Array.from({ length: processes }, work));
  return results;
}

async function startChild(): Promise<ChildProcess> {
  const main = fileURLToPath(new URL("./direct-main.ts", import.meta.url));
  const child = fork(main, { stdio: ["ignore", "ignore", "ignore", "ipc"] });
  await once(child, "message");
  return child;
}

function runOne(child: ChildProcess, one: OnnxCase): Promise<{ problem: string | undefined; died: boolean }> {
  return new Promise((resolve) => {
    const timeout = setTimeout(() => child.kill("SIGKILL"), caseTimeoutMs);
    const finish = (problem: string | undefined, died: boolean) => {
      clearTimeout(timeout);
      child.removeAllListeners();
      resolve({ problem, died });
    };
    child.once("message", (reply) => finish((reply as { problem?: string }).problem, false));
    // "exit" may come before the last message was read; "close" comes after.
    child.once("close", (status, signal) => finish(`it ends the process (${signal ?? status})`, true));
    child.send(one);
  });
}
