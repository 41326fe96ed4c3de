import { chmodSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { freePort, systemClock } from "@aimass/core";
import { createTestDatabase, tempDirectory } from "@aimass/testkit";
import { describe, expect, it } from "vitest";
import { Connection } from "../client/connection.ts";
import { openDataDirectory } from "../up/data-directory.ts";
import { judgeClock, lastWrittenMs } from "./clock.ts";
import { checkDataDirectory } from "./data-folder.ts";
import { checkDatabase } from "./database.ts";
import { checkDisk, checkMemory, judgeRuntime, thisRuntime } from "./machine.ts";
import { checkMesh } from "./mesh.ts";
import { checkPorts } from "./ports.ts";
import { checkSandbox } from "./sandbox.ts";

/** Some other program with a port. */
async function listening(): Promise<AsyncDisposable & { port: number }> {
  const server = createServer((_request, response) => response.writeHead(418, { connection: "close" }).end());
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return { port, [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** A folder that the one who runs this cannot write, root included. */
function closedFolder(within: string): string {
  if (process.getuid?.() === 0) return "/proc";
  const folder = join(within, "closed");
  mkdirSync(folder, { mode: 0o500 });
  return folder;
}

describe("a machine that is to run a mesh", () => {
  it("has a Node that runs TypeScript, and glibc", () => {
    expect(judgeRuntime(thisRuntime())).toMatchObject({ state: "ok" });
    expect(judgeRuntime({ node: "20.19.5", platform: "linux", glibc: "2.36" })).toMatchObject({
      state: "problem",
      found: expect.stringMatching(/20\.19\.5.*22\.18/),
    });
    expect(judgeRuntime({ node: "22.17.1", platform: "darwin" }).state).toBe("problem");
    expect(judgeRuntime({ node: "24.9.0", platform: "linux" }).found).toMatch(/without glibc/);
  });

  it("is told of too little memory and of a disk with too little room, wherever the directory will be", async () => {
    await using folder = await tempDirectory();
    expect(checkMemory(1).state).toBe("ok");
    expect(checkMemory(2 ** 60)).toMatchObject({ state: "warning", remedy: expect.stringMatching(/--replicas 1/) });
    const later = join(folder.path, "not", "yet");
    expect(await checkDisk(later, 1)).toMatchObject({ state: "ok" });
    expect(await checkDisk(later, 2 ** 60)).toMatchObject({
      state: "problem",
      found: expect.stringMatching(/GiB are free on the disk of .*yet; at least/),
    });
  });

  it("has ports that somebody else holds named, and those of its own mesh not", async () => {
    await using taken = await listening();
    const o = { host: "127.0.0.1", port: taken.port, tritonPorts: false, supervisor: undefined };
    expect(await checkPorts(o)).toMatchObject([
      { state: "problem", found: expect.stringMatching(/is taken/), remedy: expect.stringMatching(/--port \d+/) },
    ]);
    expect(await checkPorts({ ...o, supervisor: 4711 })).toMatchObject([{ state: "ok" }]);
    expect(await checkPorts({ ...o, port: await freePort() })).toMatchObject([{ state: "ok" }]);
    expect(await checkPorts({ ...o, host: "203.0.113.9", port: 5000 })).toMatchObject([
      { state: "problem", found: expect.stringMatching(/no address of this machine/) },
    ]);
    expect(await checkPorts({ ...o, port: 0 })).toEqual([]);
    expect((await checkPorts({ ...o, port: 0, tritonPorts: true })).map(({ check }) => check)).toEqual([
      "port 8000",
      "port 8001",
    ]);
  });

  it("is told that scripts cannot be isolated where a program is missing", async () => {
    await using empty = await tempDirectory();
    expect(await checkSandbox("linux", empty.path)).toMatchObject({
      state: "warning",
      found: expect.stringMatching(/bwrap is missing/),
      remedy: expect.stringMatching(/apt-get install bubblewrap/),
    });
    expect(await checkSandbox("darwin", empty.path)).toMatchObject({ state: "warning" });
  });

  it("is told of a clock that differs from the mesh's, or that went back", async () => {
    const nowMs = Date.UTC(2026, 0, 1);
    const known = { nowMs, serverMs: undefined, writtenMs: undefined };
    expect(judgeClock(known).state).toBe("ok");
    expect(judgeClock({ ...known, serverMs: nowMs + 90_000 }).found).toMatch(/90 s behind the mesh's/);
    expect(judgeClock({ ...known, serverMs: nowMs - 90_000 }).found).toMatch(/90 s ahead of the mesh's/);
    expect(judgeClock({ ...known, serverMs: nowMs + 900 }).state).toBe("ok");
    await using folder = await tempDirectory();
    writeFileSync(join(folder.path, "trust.json"), "{}");
    utimesSync(join(folder.path, "trust.json"), nowMs / 1000 + 3600, nowMs / 1000 + 3600);
    const went = judgeClock({ ...known, writtenMs: await lastWrittenMs(folder.path) });
    expect(went).toMatchObject({ state: "problem", found: expect.stringMatching(/went back/) });
  });
});

describe("a data directory", () => {
  it("is fine before the first start and after it, and nothing is left in it", async () => {
    await using folder = await tempDirectory();
    const directory = join(folder.path, "a", "b");
    expect(await checkDataDirectory(directory)).toMatchObject({
      state: "ok",
      found: expect.stringMatching(/can be made/),
    });
    await (await openDataDirectory(directory))[Symbol.asyncDispose]();
    expect(await checkDataDirectory(directory)).toMatchObject({
      state: "ok",
      found: expect.stringMatching(/can be written/),
    });
  });

  it("that cannot be written or made is named", async () => {
    await using folder = await tempDirectory();
    const closed = closedFolder(folder.path);
    expect(await checkDataDirectory(closed)).toMatchObject({
      state: "problem",
      found: expect.stringMatching(/cannot be written \(E/),
    });
    expect(await checkDataDirectory(join(closed, "later"))).toMatchObject({
      state: "problem",
      found: expect.stringMatching(/later cannot be made in /),
      remedy: expect.stringMatching(/--data DIR/),
    });
    writeFileSync(join(folder.path, "file"), "");
    const below = await checkDataDirectory(join(folder.path, "file", "data"));
    expect(below).toMatchObject({ state: "problem", found: expect.stringMatching(/\(ENOTDIR\)/) });
  });

  it("with a key or password that others may read is named", async () => {
    await using folder = await tempDirectory();
    await (await openDataDirectory(folder.path))[Symbol.asyncDispose]();
    chmodSync(join(folder.path, "keys", "auth.identity.json"), 0o644);
    expect(await checkDataDirectory(folder.path)).toMatchObject({
      state: "problem",
      found: expect.stringMatching(/auth\.identity\.json is a secret.*644/),
      remedy: expect.stringMatching(/chmod 600/),
    });
    chmodSync(join(folder.path, "keys", "auth.identity.json"), 0o600);
    mkdirSync(join(folder.path, "auth"));
    writeFileSync(join(folder.path, "auth", "admin-password-2"), "secret", { mode: 0o640 });
    expect((await checkDataDirectory(folder.path)).found).toMatch(/admin-password-2 is a secret/);
  });
});

describe("a database", () => {
  it("of somebody's own is asked", async () => {
    await using database = await createTestDatabase();
    await using folder = await tempDirectory();
    const place = { directory: folder.path, url: database.url, urls: undefined };
    expect(await checkDatabase(place)).toMatchObject({ state: "ok" });
    const wrong = new URL(database.url);
    wrong.port = `${await freePort()}`;
    expect(await checkDatabase({ ...place, url: wrong.href })).toMatchObject({
      state: "problem",
      found: expect.stringMatching(/does not answer/),
      remedy: expect.stringMatching(/AIMASS_DATABASE_URL/),
    });
    expect(await checkDatabase({ ...place, url: "nonsense" })).toMatchObject({ state: "problem" });
    expect(await checkDatabase({ ...place, urls: folder.path })).toMatchObject({
      state: "problem",
      found: expect.stringMatching(/auth\.url holds no database URL/),
    });
  });

  it("whose data went away is named", async () => {
    await using folder = await tempDirectory();
    const place = { directory: folder.path, url: undefined, urls: undefined };
    expect(await checkDatabase(place)).toMatchObject({ state: "ok", found: expect.stringMatching(/will be made/) });
    mkdirSync(join(folder.path, "postgres"));
    writeFileSync(join(folder.path, "postgres", "location"), join(folder.path, "gone"));
    expect(await checkDatabase(place)).toMatchObject({
      state: "problem",
      found: expect.stringMatching(/there is none any more/),
    });
  });
});

describe("a mesh", () => {
  it("that does not answer is wrong only where one should", async () => {
    using connection = new Connection(`http://127.0.0.1:${await freePort()}`, { kind: "none" });
    const looked = { connection, logs: undefined, clock: systemClock };
    expect((await checkMesh({ ...looked, expected: false })).findings).toMatchObject([{ state: "ok" }]);
    expect((await checkMesh({ ...looked, expected: true })).findings).toMatchObject([
      { state: "problem", found: expect.stringMatching(/Nothing answers at .*ECONNREFUSED/) },
    ]);
  });

  it("tells its clock as of its answer, however long its parts take", async () => {
    const server = createServer((request, response) => {
      const wait = request.url === "/console/" ? 2500 : 0;
      setTimeout(() => response.writeHead(200, { connection: "close" }).end(), wait);
    });
    // RPCs, which come by HTTP/2.
    server.on("clientError", (_error, socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await using _ = { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
    using connection = new Connection(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { kind: "none" });
    const { aheadMs = Number.NaN } = await checkMesh({
      connection,
      expected: true,
      logs: undefined,
      clock: systemClock,
    });
    // The header has whole seconds, and a machine may be busy; the parts take longer than this.
    expect(aheadMs).toBeGreaterThan(-2400);
    expect(aheadMs).toBeLessThan(500);
  });

  it("is not taken for another program on its port", async () => {
    await using other = await listening();
    using connection = new Connection(`http://127.0.0.1:${other.port}`, { kind: "none" });
    expect(
      (await checkMesh({ connection, expected: false, logs: undefined, clock: systemClock })).findings,
    ).toMatchObject([{ state: "problem", found: expect.stringMatching(/is no router of a mesh \(HTTP 418\)/) }]);
  });
});
