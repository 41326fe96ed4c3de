import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatCpuList, parseCpuList } from "./cpu-list.ts";
import { parseDeclaredDevices } from "./declared-devices.ts";
import { parseNvidiaSmi, usableCpus } from "./discover-devices.ts";

describe("CPU lists", () => {
  it("reads what it writes, for any set of CPUs", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(300), { minLength: 1 }), (cpus) => {
        expect(parseCpuList(formatCpuList(cpus))).toEqual([...cpus].sort((a, b) => a - b));
      }),
    );
  });

  it.each(["", "a", "3-1", "1,,2", "-1", "0-99999"])("refuses %j", (text) => {
    expect(parseCpuList(text)).toBeUndefined();
  });

  it("finds at least one CPU of this machine", async () => {
    expect((await usableCpus()).length).toBeGreaterThan(0);
  });
});

describe("declared devices", () => {
  it("numbers unnamed devices by kind and keeps commas of a CPU list", () => {
    const declared = parseDeclaredDevices("cpu:0-1,4,name=left; cpu:2 ;gpu:0,memory=1024;gpu:GPU-abc1");
    expect(declared).toEqual({
      devices: [
        { id: "left", kind: "cpu", selector: "0-1,4", memoryBytes: 0, description: "CPUs 0-1,4" },
        { id: "cpu-1", kind: "cpu", selector: "2", memoryBytes: 0, description: "CPUs 2" },
        { id: "gpu-0", kind: "gpu", selector: "0", memoryBytes: 1024, description: "GPU 0" },
        { id: "gpu-1", kind: "gpu", selector: "GPU-abc1", memoryBytes: 0, description: "GPU GPU-abc1" },
      ],
    });
  });

  it.each([
    ["", "it names no device"],
    ["tpu:0", '"tpu:0" is no device'],
    ["cpu:x", 'selects "x"'],
    ["gpu:first", 'selects "first"'],
    ["cpu:0,colour=red", 'the option "colour"'],
    ["cpu:0,name=a;cpu:1,name=a", 'two devices are called "a"'],
    ["cpu:0,memory=lots", "no number of bytes"],
    ["cpu:0,name=a/b", "no device name"],
  ])("says what is wrong with %j", (text, problem) => {
    const declared = parseDeclaredDevices(text);
    expect("problems" in declared ? declared.problems.join("; ") : "").toContain(problem);
  });
});

describe("nvidia-smi's list", () => {
  it("becomes one device a line, memory in bytes", () => {
    const text = "0, GPU-5f1, 81559, NVIDIA H100 80GB HBM3\n1, GPU-77a, 143771, NVIDIA H200\n";
    expect(parseNvidiaSmi(text)).toEqual([
      {
        id: "gpu-0",
        kind: "gpu",
        selector: "GPU-5f1",
        memoryBytes: 81559 * 2 ** 20,
        description: "NVIDIA H100 80GB HBM3",
      },
      { id: "gpu-1", kind: "gpu", selector: "GPU-77a", memoryBytes: 143771 * 2 ** 20, description: "NVIDIA H200" },
    ]);
  });

  it("is empty for a machine without a driver", () => {
    expect(parseNvidiaSmi("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.")).toEqual([]);
  });
});
