import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { AccessService, Effect, Level } from "@aimass/api/auth";
import { deployModel, Output, pushModel } from "@aimass/cli";
import { elementTypes } from "@aimass/onnx";
import {
  echoModel,
  externalDataModel,
  multiInputModel,
  slowModel,
  softmaxModel,
  textModel,
  tinyModel,
} from "@aimass/onnx/samples";
import { TestMesh } from "../support/test-mesh.ts";
import { inParallel } from "./in-parallel.ts";

/** The models that stock clients call, by name. */
const models: Readonly<Record<string, Uint8Array>> = {
  tiny: tinyModel(),
  text: textModel(),
  multi: multiInputModel(),
  softmax: softmaxModel(),
  slow: slowModel(),
  "echo-scalar": echoModel("FP32", []),
  ...Object.fromEntries(elementTypes.map(({ datatype }) => [`echo-${datatype.toLowerCase()}`, echoModel(datatype)])),
};

/** Models pushed and deployed side by side. */
const servedAtOnce = 4;

/** Starts a mesh with every model that the checks call; anyone may call "text", which POST /predict takes. */
export async function startConformanceMesh(options: { port: number; pageOrigin: string }): Promise<TestMesh> {
  const mesh = await TestMesh.start({
    port: options.port,
    replicas: 2,
    env: { AIMASS_DEFAULT_MODEL: "text", AIMASS_ALLOWED_ORIGINS: options.pageOrigin },
  });
  try {
    const served = Object.entries(models).map(
      ([name, onnx]) =>
        () =>
          mesh.serve(name, onnx, 1),
    );
    await inParallel([...served, () => serveExternal(mesh)], servedAtOnce, (serve) => serve());
    await mesh.admin.client(AccessService).putGrant({
      grant: { subject: "anonymous", resource: "default.text", level: Level.INFER, effect: Effect.ALLOW },
    });
    return mesh;
  } catch (error) {
    await mesh[Symbol.asyncDispose]();
    throw error;
  }
}

async function serveExternal(mesh: TestMesh): Promise<void> {
  const { model, files } = externalDataModel();
  const folder = join(mesh.folder, "external");
  for (const [path, bytes] of [["model.onnx", model] as const, ...files]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
  const at = { connection: mesh.admin, output: new Output({ json: true }), project: "default", model: "external" };
  const { version } = await pushModel({ ...at, path: folder });
  await mesh.moveAlias("external", version);
  await deployModel(mesh.admin, { project: "default", model: "external", replicas: 1 });
}
