import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AimassError } from "@aimass/core";
import { tinyModel } from "@aimass/onnx/samples";
import { InferClient } from "../support/infer-client.ts";
import { TestMesh } from "../support/test-mesh.ts";
import { rowsOf, Traffic, total } from "../support/traffic.ts";
import type { ChaosResult } from "./chaos-result.ts";
import { ChaosContext } from "./context.ts";

const scenario = "all clocks are two hours ahead, right, two hours behind, right again";
const offMs = 8000;
/** After a clock was set right, calls may fail for this long: tokens of the wrong time meet clocks of the right one. */
const settleMs = 3000;
const watchMs = 5000;

/** libfaketime, which gives the processes of this mesh, and them alone, the time that a file says (Debian's package `faketime`). */
export const faketimeLibrary = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
].find((path) => existsSync(path));

/** Every process of a mesh runs with a clock that is wrong for a while. Once it is right again, no call may fail, and the control plane answers. */
export async function clocksScenario(): Promise<ChaosResult> {
  if (faketimeLibrary === undefined) throw new AimassError("FAILED_PRECONDITION", "libfaketime is not here.");
  const folder = mkdtempSync(join(tmpdir(), "aimass-clock-"));
  const file = join(folder, "offset");
  const setClocks = (offset: "+7200" | "-7200" | "+0") => writeFileSync(file, `${offset}\n`);
  setClocks("+0");
  const env = {
    LD_PRELOAD: faketimeLibrary,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  };
  try {
    await using mesh = await TestMesh.start({ replicas: 2, env });
    await mesh.serve("tiny", tinyModel(), 2);
    const context = new ChaosContext({ mesh, models: ["tiny"], replicasOfEach: 2 });
    await context.begin();
    const client = new InferClient({ addresses: [mesh.address()], apiKey: mesh.apiKey, deadlineMs: 8000 });
    const traffic = new Traffic({ client, kinds: [rowsOf("tiny", 4)], inFlight: 4, pauseMs: 5 });
    const counts = [];
    let [recoveredMs, problem] = [0, undefined as string | undefined];
    try {
      for (const offset of ["+7200", "-7200"] as const) {
        setClocks(offset);
        await context.wait(offMs);
        setClocks("+0");
        await context.wait(settleMs);
        traffic.take();
        await context.wait(watchMs);
        recoveredMs = Math.max(recoveredMs, await context.recovered());
        counts.push(total(traffic.take()));
      }
    } catch (error) {
      problem = (error as Error).message;
    }
    await traffic.stop();
    client.close();
    const count = total(new Map(counts.map((c, n) => [String(n), c])));
    if (count.failed > 0) problem = [problem, ...count.failures].filter(Boolean).join("; ");
    return { scenario, count, recoveredMs, problem };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
