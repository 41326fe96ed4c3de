import { expect, it } from "vitest";
import type { ScriptIsolation } from "../script-run.ts";
import { runScript } from "./run-script.ts";

/** What every isolation must stand: how a script may end, and that nothing of it stays. */
export function sharedSituations(isolation: ScriptIsolation): void {
  it("can be had here", async () => {
    expect(await isolation.available()).toBe(true);
  });

  it("end with their own code, and their last words are heard", async () => {
    const { outcome, lines } = await runScript(isolation, {
      python: "def f(): raise ValueError('no such column')\nf()",
    });
    expect(outcome).toEqual({ kind: "exited", code: 1 });
    expect(lines[0]).toBe("Traceback (most recent call last):");
    expect(lines.at(-1)).toBe("ValueError: no such column");
  });

  it("may be killed by somebody else, or not be there at all", async () => {
    const killed = await runScript(isolation, { sh: "kill -SEGV $$" });
    expect(killed.outcome).toEqual({ kind: "signalled", signal: "SIGSEGV" });
    const missing = await runScript(isolation, { command: ["no-such-program"] });
    expect(missing.outcome).toEqual({ kind: "exited", code: 127 });
    expect(missing.lines.at(-1)).toContain("no-such-program");
  });

  it("leave no child behind, not even a daemon", async () => {
    const daemon =
      "import os, sys, time\nif os.fork(): sys.exit()\nos.setsid()\nif os.fork(): sys.exit()\ntime.sleep(60)";
    const sh = `sh -c 'sleep 60; true' child "$0" & python3 -c "$DAEMON" "$0"; echo done`;
    const { outcome, lines, left, ms } = await runScript(isolation, { sh, environment: { DAEMON: daemon } });
    expect({ outcome, lines, left }).toEqual({ outcome: { kind: "exited", code: 0 }, lines: ["done"], left: [] });
    expect(ms).toBeLessThan(10_000);
  });

  it("are cancelled within 2 s, even when they ignore SIGTERM and have children that do", async () => {
    const sh = `trap '' TERM; sh -c 'trap "" TERM; while true; do sleep 1; done' child "$0" & echo up; while true; do sleep 1; done`;
    const { outcome, left, ms } = await runScript(isolation, { sh, cancelAt: "up" });
    expect({ outcome, left }).toEqual({ outcome: { kind: "cancelled" }, left: [] });
    expect(ms).toBeLessThan(2000);
  });

  it("may tidy up when they are cancelled", async () => {
    const sh = `trap 'echo tidy; exit' TERM; echo up; while true; do sleep 0.1; done`;
    const { outcome, lines } = await runScript(isolation, { sh, cancelAt: "up" });
    expect(outcome).toEqual({ kind: "cancelled" });
    expect(lines).toContain("tidy");
  });

  it("are ended when their time is up", async () => {
    const { outcome, left } = await runScript(isolation, { sh: "sleep 60 & sleep 60", limits: { seconds: 0.5 } });
    const reason = "The script ran longer than the 0.5 s it may.";
    expect(outcome).toEqual({ kind: "limit", limit: "seconds", reason });
    expect(left).toEqual([]);
  });

  it("are ended when they use too much memory, be it in one process or in many", async () => {
    const one = "a = []\nwhile True: a.append(bytearray(b'x') * 10_000_000)";
    const many = `import os, time\nfor _ in range(8):\n  if not os.fork(): break\na = bytearray(b'x') * 50_000_000\ntime.sleep(30)`;
    for (const python of [one, many]) {
      const { outcome, left } = await runScript(isolation, { python, limits: { memoryBytes: 2 ** 28 } });
      const reason = "The script used more than the 256 MiB of memory it may.";
      expect(outcome).toEqual({ kind: "limit", limit: "memory", reason });
      expect(left).toEqual([]);
    }
  });

  it("may share memory between processes without it counting twice", async () => {
    const python = `
import os, time
a = bytearray(b"x") * 150_000_000
if os.fork() and os.fork() and os.fork(): pass
time.sleep(1)
`;
    const { outcome } = await runScript(isolation, { python, limits: { memoryBytes: 2 ** 28 } });
    expect(outcome).toEqual({ kind: "exited", code: 0 });
  });

  it("are refused 4 GB at once", async () => {
    const { outcome, lines } = await runScript(isolation, { python: "bytearray(4 << 30)" });
    expect({ outcome, last: lines.at(-1) }).toEqual({ outcome: { kind: "exited", code: 1 }, last: "MemoryError" });
  });

  it("are ended when they fork without end", async () => {
    const python = "import os, time\nwhile True:\n  try: os.fork()\n  except OSError: time.sleep(0.01)";
    const { outcome, left, ms } = await runScript(isolation, { python });
    expect(outcome).toMatchObject({ kind: "limit", limit: "processes" });
    expect(left).toEqual([]);
    expect(ms).toBeLessThan(10_000);
  });

  it.each([
    ["many files", `i=0; while true; do head -c 4000000 /dev/zero > "$TMPDIR/$((i=i+1))"; done`],
    ["one file", `head -c 100000000 /dev/zero > x`],
    [
      "a file without a name",
      `exec 3> x; rm x; head -c 60000000 /dev/zero >&3; exec 4> y; rm y; head -c 60000000 /dev/zero >&4; sleep 10`,
    ],
    [
      "a closed folder",
      `d=$PWD/d; mkdir $d; i=0; while true; do chmod 700 $d; head -c 4000000 /dev/zero > $d/$((i=i+1)); chmod 0 $d; done`,
    ],
  ])("are ended when they fill the disk by %s", async (_, sh) => {
    const { outcome, left } = await runScript(isolation, { sh });
    expect(outcome).toMatchObject({ kind: "limit", limit: "disk" });
    expect(left).toEqual([]);
  });

  it.each([
    ["without a line feed", "while True: print('x' * 1000, end='')"],
    ["line by line", "while True: print('x')"],
  ])("may print without end %s: the trainer stays small", async (_, python) => {
    const before = process.memoryUsage().rss;
    const { outcome, lines } = await runScript(isolation, { python, limits: { seconds: 2 } });
    expect(outcome).toMatchObject({ kind: "limit", limit: "seconds" });
    expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(4000);
  });

  it("tell of metrics while they run", async () => {
    const folder = isolation.folder("");
    const where = folder === "" ? "../out" : `${folder}/out`;
    const sh = `echo '{"step": 1, "loss": 0.5}' >> ${where}/metrics.jsonl; sleep 0.5; echo '{"step": 2, "loss": 0.25}' >> ${where}/metrics.jsonl`;
    const { metrics } = await runScript(isolation, { sh });
    expect(metrics).toEqual([
      { name: "loss", step: 1, value: 0.5 },
      { name: "loss", step: 2, value: 0.25 },
    ]);
  });

  it("stay on as many processors as they may use", async () => {
    const { lines } = await runScript(isolation, {
      python: "import os; print(len(os.sched_getaffinity(0)))",
      limits: { cpus: 1 },
    });
    expect(lines).toEqual(["1"]);
  });

  it("cannot be given variables that reach into who starts them", async () => {
    const attempt = runScript(isolation, { sh: "true", environment: { LD_PRELOAD: "/job/code/evil.so" } });
    await expect(attempt).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
}
