import { type GetVersionRequest, ModelService } from "@aimass/api/registry";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { serveRoutes } from "../testing/serve-routes.ts";
import { classifierOutputs, predictionsOf, scoresOutput } from "./class-scores.ts";
import type { RestAnswer, RestMetadata } from "./rest-inference.ts";

const name = { project: "team", model: "digits", version: "" };

function metadata(...outputs: readonly (readonly [name: string, datatype: string])[]): RestMetadata {
  const all = outputs.map(([name, datatype]) => ({ name, datatype, shape: [-1, 3] }));
  return { name: "team.digits", versions: ["1"], inputs: [], outputs: all };
}

function answer(data: readonly string[], shape = [data.length / 3, 3]): RestAnswer {
  return { model_name: "m", model_version: "1", outputs: [{ name: "scores", datatype: "BYTES", shape, data }] };
}

/** Asks with a registry that answers so. */
async function askedWith(
  asked: RestMetadata,
  labels: Readonly<Record<string, string[]>> | ConnectError,
): Promise<{ output: string | undefined; calls: readonly GetVersionRequest[] }> {
  const calls: GetVersionRequest[] = [];
  await using server = await serveRoutes((router) => {
    router.rpc(ModelService.method.getVersion, (request) => {
      calls.push(request);
      if (labels instanceof ConnectError) throw labels;
      return { version: { signature: { outputs: Object.entries(labels).map(([name, l]) => ({ name, labels: l })) } } };
    });
  });
  return { output: await scoresOutput(server.connection, name, asked), calls };
}

describe("which output scores the classes", () => {
  it("is told by its name where a label stands beside it", async () => {
    const asked = metadata(["label", "BYTES"], ["probabilities", "FP32"]);
    expect(await askedWith(asked, {})).toEqual({ output: "probabilities", calls: [] });
  });

  it("is the one whose classes the version names", async () => {
    const asked = metadata(["hidden", "FP32"], ["scores", "FP32"]);
    const { output, calls } = await askedWith(asked, { scores: ["a", "b", "c"], hidden: [] });
    expect(output).toBe("scores");
    expect(calls[0]).toMatchObject(name);
  });

  it("is none for numbers without classes, for texts, and where the version is hidden", async () => {
    expect((await askedWith(metadata(["y", "FP32"]), { y: [] })).output).toBeUndefined();
    expect((await askedWith(metadata(["y", "BYTES"]), { y: ["a"] })).output).toBeUndefined();
    expect((await askedWith(metadata(["y", "FP32"]), new ConnectError("no", Code.NotFound))).output).toBeUndefined();
    const denied = new ConnectError("no", Code.PermissionDenied);
    expect((await askedWith(metadata(["y", "FP32"]), denied)).output).toBeUndefined();
  });

  it("is asked for with its classes, beside the others", () => {
    const asked = metadata(["scores", "FP32"], ["hidden", "FP32"]);
    const wishes = [{ name: "scores", parameters: { classification: 1000 } }, { name: "hidden" }];
    expect(classifierOutputs(asked, "scores")).toEqual(wishes);
    expect(classifierOutputs(asked, undefined)).toBeUndefined();
  });
});

describe("the classes of an answer", () => {
  it("are probabilities when a row of them adds up to one", () => {
    const rows = answer(["0.75:2:c:d", "0.25:0:a", "0:1:b", "1:0:a", "0:1:b", "0:2:c:d"]);
    expect(predictionsOf(rows, "scores")).toEqual([
      { label: "c:d", probabilities: { "c:d": 0.75, a: 0.25, b: 0 } },
      { label: "a", probabilities: { a: 1, b: 0, "c:d": 0 } },
    ]);
  });

  it("are scores when they do not, with a number where a class has no name", () => {
    const rows = answer(["4.5:1:b", "-1e-7:0", "-3:2:c"]);
    expect(predictionsOf(rows, "scores")).toEqual([{ label: "b", scores: { b: 4.5, 0: -1e-7, c: -3 } }]);
  });

  it("are none when nobody asked for them", () => {
    expect(predictionsOf(answer(["1:0:a", "0:1:b", "0:2:c"]), undefined)).toEqual([]);
  });
});
