import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mlpModel, textLengthModel } from "@aimass/onnx/samples";
import { describe, expect, it } from "vitest";
import { expectFailure } from "../../support/failure.ts";
import { terminalMesh } from "../../support/terminal-mesh.ts";

const mesh = terminalMesh(async ({ file, json, signIn }) => {
  writeFileSync(file("wider.onnx"), mlpModel({ layers: [4, 8, 4], seed: 3 }));
  writeFileSync(file("words.onnx"), textLengthModel());
  await signIn();
  await json("models", "push", "tiny", file("tiny.onnx"), "--alias", "default");
  await Promise.all([json("models", "push", "tiny", file("wider.onnx")), json("deploy", "tiny")]);
});
const { json, words, file } = mesh;

describe("aimass deploy and run", { timeout: 180_000 }, () => {
  it("deploys on the replicas there are where more are wanted, and says so", async () => {
    const fewer = /3 replicas are wanted, and there is 1/;
    expect(await words("deploy", "tiny", "--replicas", "3", "--dry-run")).toMatch(fewer);
    expect(await words("deploy", "tiny", "--replicas", "3")).toMatch(fewer);
    await json("deploy", "tiny", "--replicas", "1");
  });

  it("does not wait for a deployment that has nothing to serve", async () => {
    await json("models", "push", "lonely", file("tiny.onnx"));
    expectFailure(
      await mesh.aimass.run("deploy", "lonely"),
      1,
      /has no alias "default".*models alias lonely default VERSION/,
    );
    await json("deploy", "lonely", "--version", "1");
    expect(await json("predict", "lonely:1")).toMatchObject({ model_version: "1" });
    await json("deploy", "lonely", "--delete");
    expectFailure(await mesh.aimass.run("jobs", "retrain", "remove", "nightly"), 4, /no rule "nightly"/);
  });

  it("runs a file in one go and prints calls that work", async () => {
    const result = await json<{ model: string; seconds: number; calls: { curl: string } }>("run", file("words.onnx"));
    expect(result.model).toBe("words");
    expect(result.calls.curl).toContain(`${mesh.up.url}/v2/models/words/infer`);
    expect(await json("predict", "words", "--text", "four")).toMatchObject({ outputs: [{ data: [4] }] });
  });

  it("names the classes of a model whose version does, and gives numbers for others", async () => {
    const folder = file("levels");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "model.onnx"), mlpModel({ layers: [4, 3], seed: 1 }));
    const scores = "outputs:\n  - name: y\n    labels: [low, middle, high]\n";
    writeFileSync(join(folder, "model.yaml"), scores);
    await json("run", folder);
    const { predictions } = await json<{ predictions: { label: string; scores: Record<string, number> }[] }>(
      "predict",
      "levels",
      "--input",
      "x=[[1,2,3,4],[4,3,2,1]]",
    );
    expect(predictions).toHaveLength(2);
    for (const { label, scores } of predictions) {
      expect(Object.keys(scores).toSorted()).toEqual(["high", "low", "middle"]);
      expect(scores[label]).toBe(Math.max(...Object.values(scores)));
    }
    expect(await json("predict", "words", "--text", "four")).not.toHaveProperty("predictions");
  });

  it("pauses a deployment, whose alias then moves without its traffic, and tells its history", async () => {
    await json("models", "push", "held", file("tiny.onnx"), "--alias", "default");
    await json("models", "push", "held", file("wider.onnx"));
    await json("deploy", "held");
    expect(await words("deployments", "pause", "held")).toMatch(/held is paused/);
    expect(await words("models", "alias", "held", "default", "2")).toMatch(/v1 → v2\. held is paused/);
    expect(await json("predict", "held")).toMatchObject({ model_version: "1" });
    expect(await words("deployments", "list")).toMatch(/held .*default→1 \(wants 2\)/);
    expect(await words("deployments", "resume", "held")).toMatch(/held goes on/);
    await json("deploy", "held");
    expect(await json("predict", "held")).toMatchObject({ model_version: "2" });
    expect(await words("deploy", "held", "--delete", "--dry-run")).toMatch(
      /Would end the deployment of held \(held v2/,
    );
    await words("deploy", "held", "--delete");
    expect(await words("deployments", "history", "held")).toMatch(
      /user:admin +ended\n.*service:scheduler +default is served by v2: it served version 1.*paused true → false.*paused false → true.*served by v1.*user:admin +deployed: /s,
    );
    expectFailure(await mesh.aimass.run("deployments", "pause", "held"), 4, /held is not deployed/);
    expectFailure(await mesh.aimass.run("deployments", "history", "nothing"), 4, /nothing is not deployed/);
  });

  it("ends no deployment that it was only asked about, and saves none that names what is not there", async () => {
    expect(await json("deploy", "tiny", "--delete", "--dry-run")).toMatchObject({ wouldDelete: true });
    expectFailure(await mesh.aimass.run("deploy", "tiny", "--delete", "--replicas", "2"), 2, /--replicas/);
    expectFailure(await mesh.aimass.run("deploy", "tiny", "--version", "99"), 1, /no version 99 that is READY/);
    expectFailure(await mesh.aimass.run("deploy", "tiny", "--alias", "nope", "--no-wait"), 1, /no alias "nope"/);
    expect(await json("deploy", "tiny")).toMatchObject({
      deployment: { spec: { versions: [], aliases: ["default"] } },
    });
    expect(await json("predict", "tiny")).toMatchObject({ model_name: expect.stringContaining("tiny") });
  });

  it("runs a file under no name that others use, and leaves no model behind what is refused", async () => {
    expectFailure(await mesh.aimass.run("run", file("tiny.onnx")), 1, /tiny already, which is not from a run.*--name/s);
    expectFailure(await mesh.aimass.run("run", file("words.onnx"), "--name", "tiny"), 1, /pushed and does not serve/);
    expectFailure(await mesh.aimass.run("run", file("words.onnx"), "--replicas", "0"), 2, /--replicas is "0"/);
    writeFileSync(file("broken.onnx"), "no model");
    expectFailure(await mesh.aimass.run("models", "push", "empty", file("broken.onnx")), 2, /./);
    expectFailure(await mesh.aimass.run("models", "show", "empty"), 4, /no model "default\.empty"/);
  });
});
