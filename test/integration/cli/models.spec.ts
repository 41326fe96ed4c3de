import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mlpModel } from "@aimass/onnx/samples";
import { describe, expect, it } from "vitest";
import { expectFailure } from "../../support/failure.ts";
import { terminalMesh } from "../../support/terminal-mesh.ts";

const mesh = terminalMesh(async ({ file }) => {
  writeFileSync(file("wider.onnx"), mlpModel({ layers: [4, 8, 4], seed: 3 }));
  writeFileSync(file("password"), "correct horse battery staple\n");
});
const { json, words, file, adminPassword } = mesh;

describe("aimass models", { timeout: 180_000 }, () => {
  it("asks who does not exist to sign in, and keeps a session in a file of the user alone", async () => {
    expectFailure(await mesh.aimass.run("models", "push", "tiny", file("tiny.onnx")), 3, /aimass login/);
    expect(await words("status")).toMatch(
      /No replicas that you may see\..*Nothing is deployed that everybody may see\. Sign in/s,
    );
    expectFailure(await mesh.aimass.run("login", "--password-file", file("password")), 3, /wrong/);
    expect(await words("login", "--password-file", adminPassword())).toMatch(/Signed in to .* as admin/);
    expect(statSync(file("config/aimass/credentials.json")).mode & 0o077).toBe(0);
    expect(await json("whoami")).toMatchObject({ principal: "user:admin" });
  });

  it("pushes, shows, compares, serves, swaps and rolls back a model", async () => {
    expect(await json("models", "push", "tiny", file("tiny.onnx"), "--alias", "default")).toMatchObject({
      version: 1,
      state: "READY",
    });
    expect(await json("models", "push", "tiny", file("wider.onnx"), "-l", "team=red")).toMatchObject({ version: 2 });
    expect(await json<unknown[]>("models", "list")).toMatchObject([{ name: "tiny", newestVersion: 2 }]);
    const shown = await json<{ versions: unknown[]; moves: unknown[] }>("models", "show", "tiny");
    expect([shown.versions.length, shown.moves.length]).toEqual([2, 1]);
    expect(await json("models", "show", "tiny:2")).toMatchObject({ version: 2, labels: { team: "red" } });
    expect(await json("models", "diff", "tiny", "1", "2")).toMatchObject({ compatible: true });
    const plan = await json<{ fits: boolean }>("deploy", "tiny", "--dry-run");
    expect(plan.fits).toBe(true);
    expectFailure(await mesh.aimass.run("predict", "tiny"), 4, /tiny/);
    await json("deploy", "tiny");
    expect(await json("predict", "tiny", "--input", '{"x": [[1, 2, 3, 4]]}')).toMatchObject({ model_version: "1" });
    await json("models", "alias", "tiny", "default", "2", "-m", "wider is better");
    expect(await json("predict", "tiny")).toMatchObject({ model_version: "2" });
    expect(await json("models", "rollback", "tiny")).toMatchObject({ move: { toVersion: 1 } });
    expect(await json("predict", "tiny@default")).toMatchObject({ model_version: "1" });
    expect(await json("predict", "tiny:2")).toMatchObject({ model_version: "2" });
  });

  it("pulls what was pushed, byte for byte", async () => {
    const folder = file("pulled");
    mkdirSync(folder, { recursive: true });
    await json("models", "pull", "tiny:2", folder);
    const digest = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
    expect(digest(join(folder, "model.onnx"))).toBe(digest(file("wider.onnx")));
  });

  it("says where a version cannot be pulled to, and leaves nothing there", async () => {
    const notAFolder = file("password");
    expectFailure(
      await mesh.aimass.run("models", "pull", "tiny:2", notAFolder),
      1,
      /model\.onnx cannot be written \(EEXIST\)/,
    );
    const taken = file("taken");
    mkdirSync(join(taken, "model.onnx", "something"), { recursive: true });
    expectFailure(
      await mesh.aimass.run("models", "pull", "tiny:2", taken),
      1,
      /model\.onnx is there with other content/,
    );
    expect(readdirSync(taken)).toEqual(["model.onnx"]);
  });

  it("retires a version and deletes a model, when no alias points there", async () => {
    await json("models", "push", "passing", file("tiny.onnx"), "--alias", "default");
    await json("models", "push", "passing", file("wider.onnx"));
    expectFailure(await mesh.aimass.run("models", "retire", "passing:1", "--dry-run"), 1, /alias|points/);
    expect(await words("models", "retire", "passing:2", "--dry-run")).toMatch(/Would retire passing:2/);
    expect(await json("models", "show", "passing:2")).toMatchObject({ state: "READY" });
    expect(await words("models", "retire", "passing:2")).toMatch(/passing:2 is retired/);
    expect(await json("models", "show", "passing:2")).toMatchObject({ state: "RETIRED" });
    expectFailure(await mesh.aimass.run("models", "retire", "passing"), 2, /No version was named/);
    expectFailure(await mesh.aimass.run("models", "delete", "passing", "--dry-run"), 1, /alias|points/);
    await json("models", "alias", "passing", "default", "--delete");
    expect(await words("models", "delete", "passing", "--dry-run")).toMatch(/the model passing with 2 versions/);
    expect(await words("models", "delete", "passing")).toMatch(/passing is gone/);
    expectFailure(await mesh.aimass.run("models", "delete", "passing"), 4, /passing/);
  });

  it("replaces nothing that was pulled over, unless told to, and pulls the same again", async () => {
    const folder = file("pulled");
    await json("models", "pull", "tiny:2", folder);
    const graph = join(folder, "model.onnx");
    const pulled = readFileSync(graph);
    await json("models", "pull", "tiny:2", folder);
    writeFileSync(graph, "mine");
    expectFailure(await mesh.aimass.run("models", "pull", "tiny:2", folder), 1, /there with other content.*--force/s);
    expect(readFileSync(graph, "utf8")).toBe("mine");
    await json("models", "pull", "tiny:2", folder, "--force");
    expect(readFileSync(graph)).toEqual(pulled);
  });

  it("moves and removes an alias only from where it is expected to be", async () => {
    await json("models", "push", "pinned", file("tiny.onnx"));
    await json("models", "alias", "pinned", "live", "1");
    const alias = (...more: string[]) => mesh.aimass.run("models", "alias", "pinned", "live", ...more);
    const [deleted, moved, deletedFromNone, movedFromNone, both, back] = await Promise.all([
      alias("--delete", "--expect", "7"),
      alias("1", "--expect", "7"),
      alias("--delete", "--expect", "abc"),
      alias("1", "--expect", "abc"),
      alias("1", "--delete"),
      mesh.aimass.run("models", "rollback", "pinned", "live", "--expect", "7"),
    ]);
    expectFailure(deleted, 1, /points at version 1/);
    expectFailure(moved, 1, /version 1; it was expected to point at version 7/);
    expectFailure(deletedFromNone, 2, /--expect is "abc"/);
    expectFailure(movedFromNone, 2, /--expect is "abc"/);
    expectFailure(both, 2, /v1 was named too/);
    expectFailure(back, 1, /points at version 1/);
    expect(await words("models", "show", "pinned")).toMatch(/live/);
    expect((await alias("--delete", "--expect", "1")).status).toBe(0);
  });

  it("shows how the mesh is and that its ledger is whole", async () => {
    expect(await json("status")).toMatchObject({ ready: true, nodes: [{ name: "local" }] });
    expect(await words("status")).toMatch(/local\/cpu-0 .* live .*tiny/);
    expect(await json<unknown[]>("audit", "list", "--action", "alias")).not.toHaveLength(0);
    expect(await json("audit", "verify", "--head", file("head.json"))).toMatchObject({ intact: true });
    expect(await words("audit", "verify", "--head", file("head.json"))).toMatch(/The ledger is intact/);
    expect(await words("models", "list")).toMatch(/tiny/);
    expect(await words("models", "show", "tiny")).toMatch(/wider is better/);
  });
});
