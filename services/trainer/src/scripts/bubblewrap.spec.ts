import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describeWith, expectNoOpenHandles, tempDirectory, waitFor, withTempDirectory } from "@aimass/testkit";
import { describe, expect, it, vi } from "vitest";
import { type BecomesOther, Bubblewrap } from "./bubblewrap.ts";
import { machineIsFull } from "./script-watch.ts";
import { commandsWith, runScript } from "./testing/run-script.ts";
import { sharedSituations } from "./testing/situations.ts";

const asRoot = process.getuid?.() === 0;
const ways: readonly BecomesOther[] = asRoot ? ["inside", "before"] : ["same"];

describeWith("ci", { needs: ["bwrap", "setpriv", "prlimit", "python3"] }, "scripts in a sandbox", () => {
  expectNoOpenHandles();

  describe.each(ways)("that become somebody else %s", (becomes) => {
    const sandbox = new Bubblewrap({ paths: [], hidden: [], becomes });
    sharedSituations(sandbox);

    it("start with nothing but their folders, the system's programs and what they were given", async () => {
      const sh = `pwd; id -un; hostname; cat $DATA/in.csv; echo made > $OUT/result; touch $HOME/x /tmp/y /dev/shm/z; env | cut -d= -f1 | sort | tr '\\n' ' '`;
      const { lines, out } = await runScript(sandbox, {
        sh,
        data: { "in.csv": "1,2\n" },
        environment: { DATA: "/job/data", OUT: "/job/out" },
      });
      expect(lines).toEqual([
        "/job/code",
        "script",
        "script",
        "1,2",
        "CUDA_VISIBLE_DEVICES DATA HOME LANG OMP_NUM_THREADS OUT PATH PWD PYTHONUNBUFFERED TMPDIR ",
      ]);
      expect(out).toEqual({ result: "made\n" });
    });

    it("have no rights that others lack", async () => {
      const { lines } = await runScript(sandbox, {
        sh: "grep -E '^(CapPrm|CapEff|CapAmb|NoNewPrivs|Seccomp|Uid):' /proc/self/status",
      });
      const fields = Object.fromEntries(lines.map((line) => line.split(":\t")));
      const none = "0000000000000000";
      expect(fields).toMatchObject({ CapPrm: none, CapEff: none, CapAmb: none, NoNewPrivs: "1", Seccomp: "2" });
      expect(fields.Uid).not.toContain("0\t0");
    });

    it("see neither the data directory nor secrets of the system", async () => {
      await withTempDirectory(async (folder) => {
        await writeFile(join(folder, "secret"), "hush");
        const files = [
          join(folder, "secret"),
          "/etc/shadow",
          "/etc/ssl/private",
          "/root",
          "/home",
          "/var",
          "/run",
          "/sys",
        ];
        const sh = `for f in ${files.join(" ")}; do ls -d $f; cat $f; done; ls / /tmp /etc`;
        const { lines } = await runScript(sandbox, { sh });
        expect(lines.filter((line) => line.startsWith("ls: cannot access"))).toHaveLength(files.length);
        expect(lines.join("\n")).not.toContain("hush");
      });
    });

    it("cannot write to the system, to their data or to the rest of their world", async () => {
      const sh =
        "for f in /usr/x /etc/x /x /dev/x /job/x /job/data/x /job/data/in.csv; do (echo bad > $f) 2>/dev/null && echo wrote $f; done; true";
      const { lines } = await runScript(sandbox, { sh, data: { "in.csv": "1" } });
      expect(lines).toEqual([]);
    });

    it("see neither the trainer nor its environment, and cannot signal anybody", async () => {
      const python = `
import os
print(sorted(int(p) for p in os.listdir("/proc") if p.isdigit() and int(p) > 100))
try: print(open("/proc/1/environ").read())
except OSError as e: print(type(e).__name__)
for pid in ${process.pid}, ${process.ppid}:
  try: os.kill(pid, 9)
  except OSError as e: print(type(e).__name__)
`;
      const { lines } = await runScript(sandbox, { python });
      expect(lines.slice(0, 1)).toEqual(["[]"]);
      expect(lines.slice(1, -2).join("")).toMatch(/^(PermissionError|PATH=[a-z/:]*\0?)$/);
      expect(lines.slice(-2)).toEqual(["ProcessLookupError", "ProcessLookupError"]);
    });

    it("reach no network and no socket of the machine", async () => {
      await using folder = await tempDirectory();
      const tcp = createServer((socket) => socket.end("reached"));
      const unix = createServer((socket) => socket.end("reached"));
      await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
      await new Promise<void>((resolve) => unix.listen(join(folder.path, "socket"), resolve));
      const { port } = tcp.address() as { port: number };
      const python = `
import socket
for family, to in ((2, ("127.0.0.1", ${port})), (2, ("192.0.2.1", 80)), (1, "${join(folder.path, "socket")}"), (40, (2, 1024)), (17, None)):
  try:
    s = socket.socket(family); s.settimeout(2); s.connect(to); print("reached", family)
  except OSError as e: print(family, e.errno)
`;
      const { lines } = await runScript(sandbox, { python });
      for (const server of [tcp, unix]) server.close();
      const [refused, unreachable, missing, noFamily] = [111, 101, 2, 97];
      expect(lines).toEqual([`2 ${refused}`, `2 ${unreachable}`, `1 ${missing}`, `40 ${noFamily}`, `17 ${noFamily}`]);
    });

    it("cannot make namespaces, mounts or memory that belongs to nobody", async () => {
      const python = `
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for name, call in (("unshare", lambda: libc.unshare(0x10000000)), ("mount", lambda: libc.mount(b"x", b"/tmp", b"tmpfs", 0, None)), ("shmget", lambda: libc.shmget(0, 1 << 20, 0o1600))):
  print(name, call(), ctypes.get_errno())
`;
      const { lines } = await runScript(sandbox, { python });
      expect(lines).toEqual(["unshare -1 1", "mount -1 1", "shmget -1 1"]);
    });

    it("talk to themselves: sockets on loopback, threads and processes of Python", async () => {
      const python = `
import multiprocessing, socket, threading
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname())
thread = threading.Thread(target=print, args=("thread",)); thread.start(); thread.join()
with multiprocessing.get_context("fork").Pool(2) as pool: print(sum(pool.map(int, "1234")))
`;
      const { lines, outcome } = await runScript(sandbox, { python });
      expect({ lines, outcome }).toEqual({ lines: ["thread", "10"], outcome: { kind: "exited", code: 0 } });
    });

    it("are ended when they hide memory in a file without a name", async () => {
      const python = `
import os, time
f = os.memfd_create("x")
for _ in range(40): os.write(f, b"x" * 5_000_000)
time.sleep(20)
`;
      const { outcome, left } = await runScript(sandbox, {
        python,
        limits: { memoryBytes: 2 ** 27, diskBytes: 2 ** 28 },
      });
      expect(outcome).toMatchObject({ kind: "limit", limit: "memory" });
      expect(left).toEqual([]);
    });

    it("are under the kernel's own limits, which no fork and no file outruns", async () => {
      const python =
        "import resource as r\nfor x in r.RLIMIT_NPROC, r.RLIMIT_FSIZE, r.RLIMIT_CORE: print(*r.getrlimit(x))";
      const { lines } = await runScript(sandbox, { python, limits: { processes: 33, diskBytes: 2 ** 25 } });
      expect(lines).toEqual(["33 33", `${2 ** 25} ${2 ** 25}`, "0 0"]);
    });
  });

  it("end with the process that watches over them, however that ends", async () => {
    await using folder = await tempDirectory();
    const word = randomUUID();
    const main = fileURLToPath(new URL("./testing/lonely-script.ts", import.meta.url));
    const watcher = spawn(process.execPath, [main, folder.path, word], { stdio: ["ignore", "pipe", "inherit"] });
    expect(String((await once(watcher.stdout, "data"))[0])).toBe("up\n");
    expect(await commandsWith(word)).not.toEqual([]);
    watcher.kill("SIGKILL");
    await waitFor(async () => (await commandsWith(word)).length === 0, { what: "the end of the script" });
  });

  it.runIf(asRoot)("are ended when the machine's disk is full, and say so", async () => {
    await using folder = await tempDirectory();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=80m", "tmpfs", folder.path]);
    vi.stubEnv("TMPDIR", folder.path);
    try {
      const limits = { diskBytes: 2 ** 30 };
      const { outcome } = await runScript(new Bubblewrap({ paths: [], hidden: [] }), {
        sh: "head -c 90000000 /dev/zero > a",
        limits,
      });
      expect(outcome).toEqual({ kind: "limit", limit: "disk", reason: machineIsFull });
    } finally {
      vi.unstubAllEnvs();
      execFileSync("umount", [folder.path]);
    }
  });

  it("sees further folders, but none that lead to the platform's own", async () => {
    await using folder = await tempDirectory();
    await mkdir(join(folder.path, "venv/bin"), { recursive: true });
    await mkdir(join(folder.path, "state"));
    await writeFile(join(folder.path, "venv/bin/mine"), "#!/bin/sh\necho mine\n", { mode: 0o755 });
    const hidden = [join(folder.path, "state")];
    const venv = new Bubblewrap({ paths: [join(folder.path, "venv")], hidden });
    const { lines } = await runScript(venv, { command: ["mine"] });
    expect(lines).toEqual(["mine"]);
    for (const path of [folder.path, join(folder.path, "state"), "/", "relative", join(folder.path, "none")]) {
      const answer = await new Bubblewrap({ paths: [path], hidden }).available();
      expect(answer).toContain(`"${path}" cannot be shown to scripts`);
      await expect(runScript(new Bubblewrap({ paths: [path], hidden }), { sh: "true" })).rejects.toMatchObject({
        code: "FAILED_PRECONDITION",
      });
    }
  });
});
