import { describeWith, expectNoOpenHandles } from "@aimass/testkit";
import { expect, it } from "vitest";
import { runScript } from "./testing/run-script.ts";
import { sharedSituations } from "./testing/situations.ts";
import { UnsafeProcess } from "./unsafe-process.ts";

describeWith("ci", { needs: ["setpriv", "prlimit", "python3"] }, "scripts as plain processes", () => {
  expectNoOpenHandles();
  sharedSituations(new UnsafeProcess());

  it("end also when one that got away holds their output open", async () => {
    const sh = "(setsid env -i sh -c 'sleep 15 & exit' &); sleep 0.5; echo done";
    const { outcome, lines, ms } = await runScript(new UnsafeProcess(), { sh });
    expect({ outcome, lines }).toEqual({ outcome: { kind: "exited", code: 0 }, lines: ["done"] });
    expect(ms).toBeLessThan(10_000);
  });

  it("may remove the folders they were given", async () => {
    const sh = `rm -rf "$PWD"; sleep 0.8; mkdir -p "$PWD" ../out; echo done`;
    const { outcome, lines } = await runScript(new UnsafeProcess(), { sh });
    expect({ outcome, lines: lines.slice(-1) }).toEqual({ outcome: { kind: "exited", code: 0 }, lines: ["done"] });
  });
});
