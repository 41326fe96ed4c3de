import { describe, expect, it } from "vitest";
import { cpuDevices } from "./devices.ts";

describe("cpuDevices", () => {
  it("gives each replica its share of the CPUs", () => {
    expect(cpuDevices(2, 2)).toBe("cpu:0,name=cpu-0;cpu:1,name=cpu-1");
    expect(cpuDevices(2, 8)).toBe("cpu:0-3,name=cpu-0;cpu:4-7,name=cpu-1");
    expect(cpuDevices(3, 8)).toBe("cpu:0-1,name=cpu-0;cpu:2-4,name=cpu-1;cpu:5-7,name=cpu-2");
  });

  it("lets replicas share when there are more of them than CPUs", () => {
    expect(cpuDevices(2, 1)).toBe("cpu:0,name=cpu-0;cpu:0,name=cpu-1");
  });
});
