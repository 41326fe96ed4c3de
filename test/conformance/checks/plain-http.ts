import type { TestMesh } from "../../support/test-mesh.ts";
import { type Check, type Finding, finding } from "../check.ts";
import { mustRun } from "../program.ts";
import { PythonEnvironment } from "../python-environment.ts";

/** The port that notebooks name. */
export const notebookPort = 5000;

/** `requests.post("http://localhost:5000" + "/predict", …)` as people write it: no key, `localhost`, one string. */
export function predictSnippet(mesh: TestMesh): Check {
  const name = 'requests.post("http://localhost:5000/predict")';
  return {
    name,
    level: "ci",
    needs: ["python3"],
    run: async () => {
      if (mesh.mesh.routerPorts[0] !== notebookPort) return [portTaken(name)];
      const python = await PythonEnvironment.open();
      const predictions: unknown = JSON.parse(await python.run("predict_snippet.py", [], 60_000));
      return [equal(name, predictions, [{ words: 3, question: true }])];
    },
  };
}

/** curl over every way of calling a model that a shell can. */
export function curl(mesh: TestMesh): Check {
  const url = mesh.mesh.url();
  const authorization = `authorization: Bearer ${mesh.apiKey}`;
  const call = async (path: string, ...more: string[]): Promise<unknown> => {
    const json = ["-H", authorization, "-H", "content-type: application/json"];
    return JSON.parse(await mustRun("curl", ["-sS", ...json, ...more, `${url}${path}`], { timeoutMs: 30_000 }));
  };
  const text = { inputs: [{ name: "text", shape: [2], datatype: "BYTES", data: ["Is it?", "no"] }] };
  const connect = {
    modelName: "text",
    inputs: [{ ...text.inputs[0], data: undefined, contents: { bytesContents: ["aGk/"] }, shape: ["1"] }],
  };
  return {
    name: "curl",
    level: "ci",
    needs: ["curl"],
    run: () =>
      Promise.all([
        finding("curl: REST v2", async () => {
          const answer = (await call("/v2/models/text/infer", "-d", JSON.stringify(text))) as RestAnswer;
          return same(
            answer.outputs.map((output) => output.data),
            [
              [2, 1],
              [true, false],
            ],
          );
        }),
        finding("curl: REST v2 over HTTP/2", async () => {
          const answer = (await call(
            "/v2/models/text/infer",
            "--http2-prior-knowledge",
            "-d",
            JSON.stringify(text),
          )) as RestAnswer;
          return same(answer.outputs[0]?.data, [2, 1]);
        }),
        finding("curl: POST /models/NAME/predict", async () => {
          const body = JSON.stringify({ inputs: [[1, 3, 2]] });
          const answer = (await call("/models/softmax/predict", "-d", body)) as { predictions: number[][] };
          const sum = (answer.predictions[0] ?? []).reduce((total, score) => total + score, 0);
          if (Math.abs(sum - 1) > 1e-5) throw new Error(`the scores sum to ${sum}`);
          return JSON.stringify(answer.predictions);
        }),
        finding("curl: external data is served", async () => {
          const answer = (await call("/models/external/predict", "-d", '{"inputs": [[1, 0, 0, 0]]}')) as {
            predictions: number[][];
          };
          return same(answer.predictions[0]?.length, 4);
        }),
        finding("curl: Connect with JSON", async () => {
          const path = "/inference.GRPCInferenceService/ModelInfer";
          const answer = (await call(path, "-d", JSON.stringify(connect))) as { modelVersion: string };
          return same(answer.modelVersion, "1");
        }),
        finding("curl: an unknown path is told apart from an unknown model", async () => {
          const status = async (path: string) =>
            (
              await mustRun(
                "curl",
                ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", authorization, `${url}${path}`],
                { timeoutMs: 10_000 },
              )
            ).trim();
          return same([await status("/v2/models/nothing"), await status("/v3")], ["404", "404"]);
        }),
      ]),
  };
}

interface RestAnswer {
  readonly outputs: readonly { readonly name: string; readonly data: unknown }[];
}

function same(got: unknown, wanted: unknown): string {
  const [left, right] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`got ${left} instead of ${right}`);
  return left;
}

function equal(name: string, got: unknown, wanted: unknown): Finding {
  const fits = JSON.stringify(got) === JSON.stringify(wanted);
  const note = fits ? JSON.stringify(got) : `got ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`;
  return { name, outcome: fits ? "passed" : "failed", note };
}

function portTaken(name: string): Finding {
  const note = `port ${notebookPort} is taken here, so the call cannot be made as it stands`;
  return { name, outcome: process.env.CI === "true" ? "failed" : "skipped", note };
}
