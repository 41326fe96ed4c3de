import { describeWith, expectNoOpenHandles } from "@aimass/testkit";
import { sharedSituations } from "./testing/situations.ts";
import { UnsafeProcess } from "./unsafe-process.ts";

describeWith("ci", { needs: ["setpriv", "prlimit", "python3"] }, "scripts as plain processes", () => {
  expectNoOpenHandles();
  sharedSituations(new UnsafeProcess());
});
