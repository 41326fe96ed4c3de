import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { childProcessesOf } from "@aimass/cli";
import { waitFor } from "@aimass/testkit";
import { describe, expect, it } from "vitest";
import { expectFailure } from "../../support/failure.ts";
import { isAlive, terminalMesh } from "../../support/terminal-mesh.ts";

const mesh = terminalMesh(async ({ file, json, signIn }) => {
  await signIn();
  await json("run", file("tiny.onnx"));
});
const { json, words, file, adminPassword } = mesh;

describe("aimass up", { timeout: 180_000 }, () => {
  it("listens where it says and nowhere else, and with --no-triton-ports not on 8000 and 8001", async () => {
    expect(mesh.up.listeners).toEqual([new URL(mesh.up.url).host]);
  });

  it("refuses a data directory that a mesh is using, and leaves that mesh alone", async () => {
    const before = childProcessesOf(mesh.up.supervisor);
    expectFailure(await mesh.aimass.run("up", "--data", mesh.data, "--port", "0"), 1, /already runs on .*--data/s);
    expect(before.filter(({ pid }) => !isAlive(pid))).toEqual([]);
    expect(await json("status")).toMatchObject({ ready: true });
  });

  it("names the port that is taken and another one, and leaves nothing behind", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as { port: number };
    try {
      const result = await mesh.aimass.run("up", "--data", file("other-data"), "--port", String(port));
      expect(result.stderr).toMatch(new RegExp(`Port ${port} is taken.*--port`, "s"));
      expect(result.status).toBe(1);
    } finally {
      server.close();
    }
  });

  it("ends everything at Ctrl-C, and comes back with all it had", async () => {
    const pids = mesh.processes();
    expect(pids.length).toBeGreaterThan(8);
    process.kill(-(mesh.up.launcher.pid as number), "SIGINT");
    expect(await mesh.up.ended).toBe(0);
    await mesh.expectAllGone(pids, 2000);
    await mesh.start();
    await words("login", "--password-file", adminPassword());
    expect((await json<{ name: string }[]>("models", "list")).map((m) => m.name)).toContain("tiny");
    expect(await json("predict", "tiny")).toMatchObject({ model_version: "1" });
  });

  it("leaves no process behind when its supervisor is killed, and starts again after", async () => {
    const pids = mesh.processes();
    process.kill(mesh.up.supervisor, "SIGKILL");
    await mesh.up.ended;
    await mesh.expectAllGone(pids, 60_000);
    await mesh.start();
  });

  it("leaves no process behind when the process that launched it is killed", async () => {
    const pids = mesh.processes();
    mesh.up.launcher.kill("SIGKILL");
    await mesh.expectAllGone(pids, 60_000);
  });
});

describe("aimass up from npm", { timeout: 180_000 }, () => {
  it("ends when npm's shell is told to end, which passes no signal on", async () => {
    const own = join(mesh.folder, "from-npm");
    const program = fileURLToPath(new URL("../../../services/cli/bin/aimass.js", import.meta.url));
    const shell = spawn(
      "sh",
      ["-c", '"$0" "$@"; true', process.execPath, program, "up", "--data", own, "--port", "0"],
      {
        env: { ...process.env, npm_command: "exec" },
        stdio: "ignore",
      },
    );
    const file = join(own, "supervisor.pid");
    await waitFor(() => existsSync(file) && readFileSync(file, "utf8") !== "", { timeoutMs: 60_000 });
    const supervisor = Number(readFileSync(file, "utf8").split(" ")[0]);
    const launchers = childProcessesOf(shell.pid as number).map(({ pid }) => pid);
    shell.kill("SIGTERM");
    await mesh.expectAllGone([supervisor, ...launchers], 40_000);
  });
});

describe("aimass admin reset", { timeout: 180_000 }, () => {
  it("makes nothing where there is no mesh", async () => {
    const result = await mesh.aimass.run("admin", "reset", "--data", file("mistyped"));
    expectFailure(result, 1, /There is no mesh in .*mistyped.*--data/s);
    expect(existsSync(file("mistyped"))).toBe(false);
  });

  it("gives a new password in a file of its own, which the next start names, and overwrites none", async () => {
    await waitFor(async () => mesh.namingProcesses().length === 0, {
      timeoutMs: 60_000,
      intervalMs: 50,
      what: "the mesh to end",
    });
    const before = readFileSync(adminPassword(), "utf8");
    const { password, file: newFile } = await json<{ password: string; file: string }>(
      "admin",
      "reset",
      "--data",
      mesh.data,
    );
    expect(newFile).toBe(`${adminPassword()}-2`);
    expect([readFileSync(adminPassword(), "utf8"), readFileSync(newFile, "utf8")]).toEqual([before, `${password}\n`]);
    // A pid file of a mesh that died, with a number that is a stranger's by now.
    writeFileSync(join(mesh.data, "supervisor.pid"), String(process.pid));
    await mesh.start();
    expect(readFileSync(join(mesh.data, "supervisor.pid"), "utf8")).toMatch(new RegExp(`^${mesh.up.supervisor} `));
    expect(mesh.up.passwordFile).toBe(newFile);
    await words("login", "--password-file", mesh.up.passwordFile);
    expectFailure(await mesh.aimass.run("login", "--password-file", adminPassword()), 3, /wrong/);
  });
});
