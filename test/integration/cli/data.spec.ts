import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { ProjectService } from "@aimass/api/registry";
import { Connection, CredentialsFile } from "@aimass/cli";
import { describe, expect, it } from "vitest";
import { expectFailure } from "../../support/failure.ts";
import { terminalMesh } from "../../support/terminal-mesh.ts";

const diabetes = fileURLToPath(new URL("../../../services/cli/data/diabetes.csv", import.meta.url));

const mesh = terminalMesh(({ signIn }) => signIn());
const { json, words, file } = mesh;

describe("aimass projects, datasets and jobs", { timeout: 180_000 }, () => {
  it("reviews a version where the project wants it", async () => {
    const session = {
      kind: "session",
      file: new CredentialsFile(file("config/aimass/credentials.json")),
    };
    using admin = new Connection(mesh.up.url, session as { kind: "session"; file: CredentialsFile });
    await admin.client(ProjectService).createProject({ project: { name: "bank", reviewRequired: true } });
    expect(await json("models", "push", "bank.fraud", file("tiny.onnx"))).toMatchObject({ state: "VALIDATED" });
    expect(await json("models", "review", "bank.fraud:1", "--request")).toMatchObject({ state: "IN_REVIEW" });
    expectFailure(await mesh.aimass.run("models", "review", "bank.fraud:1", "--approve"), 3, /[Ss]omeone else/);
    expectFailure(await mesh.aimass.run("models", "alias", "bank.fraud", "default", "1"), 1, /review/i);
    expectFailure(await mesh.aimass.run("models", "review", "bank.fraud:1"), 2, /--request, --approve, --refuse/);
  });

  it("makes a project, and changes what it asks for", async () => {
    await words("projects", "create", "made", "--description", "For a while.");
    expect(await words("projects", "list")).toMatch(/made +- .*For a while\./);
    expect(await words("projects", "update", "made", "--review")).toContain("made: versions need a review.");
    expect(await words("projects", "list")).toMatch(/made +required .*For a while\./);
    expect(await words("projects", "update", "made", "--no-review")).toContain("made: versions need no review.");
    expect((await mesh.aimass.run("projects", "update", "made")).status).toBe(2);
    expect(await words("audit", "list", "--action", "project.updated")).toContain("user:admin");
    await json("models", "push", "made.m", file("tiny.onnx"));
    expect(await words("projects", "show", "made")).toMatch(/made: For a while\..*models: m$/ms);
    expectFailure(await mesh.aimass.run("projects", "delete", "made", "--dry-run"), 1, /has 1 models and 0 datasets/);
    await words("models", "update", "made.m", "-d", "Small.", "-l", "team=red", "size=s");
    expect(await words("models", "update", "made.m", "--remove-label", "size")).toMatch(/Small\.\nlabels: team=red$/m);
    expectFailure(await mesh.aimass.run("models", "update", "made.m", "--remove-label", "size"), 4, /no label "size"/);
    expectFailure(await mesh.aimass.run("models", "update", "made.m"), 2, /Nothing to change/);
    await words("models", "delete", "made.m");
    expect(await words("projects", "delete", "made", "--dry-run")).toMatch(/Would delete the project made/);
    expect(await words("projects", "delete", "made")).toMatch(/The project made is gone/);
    expectFailure(await mesh.aimass.run("projects", "show", "made"), 4, /no project "made"/);
  });

  it("trains a model on a data set that was pushed", async () => {
    expect(await json("datasets", "push", diabetes)).toMatchObject({ dataset: "diabetes", version: 1, rows: 442 });
    expect(await json<unknown[]>("datasets", "list")).toHaveLength(1);
    const target = readFileSync(diabetes, "utf8").split("\n")[0]?.trim().split(",").at(-1) ?? expect.fail();
    const job = await json("train", "--dataset", "diabetes", "--target", target, "--model", "sugar", "--min-r2", "0.3");
    expect(job).toMatchObject({ state: "SUCCEEDED", modelVersion: 1 });
    expect(await json<unknown[]>("jobs", "list")).toHaveLength(1);
    const id = (job as { id: string }).id;
    const planned = await json("jobs", "clone", id, "--param", "l2=3", "--min-r2", "0.1", "--dry-run");
    expect(planned).toMatchObject({ dataset: "diabetes", datasetVersion: "1", target, parameters: { l2: 3 } });
    expect(planned).not.toHaveProperty("features");
    const other = await json("jobs", "clone", id, "--recipe", "decision-tree", "--min-r2", "0.1", "--dry-run");
    expect(other).toMatchObject({ recipe: "decision-tree" });
    const again = await json<{ id: string }>("jobs", "clone", id, "--param", "l2=3", "--min-r2", "0.1");
    expect(await words("jobs", "compare", id, again.id)).toMatch(/^parameters\.l2 +\S+ +3$/m);
    expect(await words("jobs", "delete", again.id, "--dry-run")).toMatch(
      /Would delete the job .* of sugar, which is SUCC/,
    );
    expect(await words("jobs", "delete", again.id)).toMatch(/is gone/);
    expectFailure(await mesh.aimass.run("jobs", "show", again.id), 4, /no job/);
    expect(await json("models", "show", "sugar:1")).toMatchObject({ lineage: { dataset: "diabetes" } });
  });

  it("lists, compares, pulls and deletes versions of a dataset", { timeout: 180_000 }, async () => {
    writeFileSync(file("rents.csv"), "rooms,rent\n3,100\n4,200\n");
    await json("datasets", "push", file("rents.csv"), "rents");
    writeFileSync(file("rents.csv"), "rooms,rent\n3,100\n4,200\n5,300\n");
    await json("datasets", "push", file("rents.csv"), "rents");
    expect(await json("datasets", "versions", "rents")).toMatchObject([
      { version: 2, createdAt: expect.stringMatching(/^20.*Z$/) },
      { version: 1 },
    ]);
    expect(await words("datasets", "diff", "rents", "1")).toMatch(/rows: 2 → 3.*v2 has every column of v1/s);
    await words("datasets", "pull", "rents:2", file("pulled-rows"));
    expect(readFileSync(join(file("pulled-rows"), "rents-2.csv"))).toEqual(readFileSync(file("rents.csv")));
    for (const [ending, packed] of [
      ["gz", gzipSync("rooms,rent\n6,400\n")],
      ["zst", zstdCompressSync("rooms,rent\n7,500\n")],
    ] as const) {
      writeFileSync(file(`packed.csv.${ending}`), packed);
      await json("datasets", "push", file(`packed.csv.${ending}`), "packed");
      await words("datasets", "pull", "packed", file(`pulled-${ending}`));
      const [pulled = ""] = readdirSync(file(`pulled-${ending}`));
      expect(pulled).toMatch(new RegExp(`^packed-\\d\\.csv\\.${ending}$`));
      expect(readFileSync(join(file(`pulled-${ending}`), pulled))).toEqual(packed);
    }
    expect(await words("datasets", "delete", "rents", "--dry-run")).toMatch(
      /Would delete the dataset rents with v1, v2/,
    );
    expect(await words("datasets", "delete", "rents:1")).toMatch(/rents v1 is gone/);
    expect(await json<unknown[]>("datasets", "versions", "rents")).toHaveLength(1);
    const exported = await words("audit", "export", "--action", "dataset", "--from", "2020-01-01");
    const lines = exported
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.at(-1)).toMatchObject({
      action: "dataset.deleted",
      resource: "default.rents",
      event: { datasetDeleted: { dataset: "rents", version: "1" } },
    });
    expect(await words("audit", "list", "--until", "2020-01-01")).not.toMatch(/dataset/);
  });
});
