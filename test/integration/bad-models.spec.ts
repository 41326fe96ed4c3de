import { createHash } from "node:crypto";
import { ArtifactService, ModelService, VersionState } from "@aimass/api/registry";
import { bytesSource, childProcessesOf, Output, pushBundle } from "@aimass/cli";
import { crashModel, externalDataModel, mlpModel, tinyModel } from "@aimass/onnx/samples";
import { waitFor } from "@aimass/testkit";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { endlessModel, greedyModel, unknownOperatorModel } from "../support/bad-models.ts";
import { expectHelpful } from "../support/helpful.ts";
import { TestMesh } from "../support/test-mesh.ts";

const probeTimeoutMs = 6000;

let mesh: TestMesh;
let model: string;
let made = 0;

beforeAll(async () => {
  const limits = { AIMASS_PROBE_TIMEOUT_MS: String(probeTimeoutMs), AIMASS_PROBE_MEMORY_MB: "768" };
  mesh = await TestMesh.start({ replicas: 1, env: limits });
}, 120_000);

afterAll(() => mesh?.[Symbol.asyncDispose]());

beforeEach(() => {
  made += 1;
  model = `model-${made}`;
});

/** Pushes files as they are, without the look that `aimass models push` has at them first. */
function pushFolder(files: Readonly<Record<string, Uint8Array>>) {
  return pushBundle({
    connection: mesh.admin,
    output: new Output({ json: true }),
    project: "default",
    model,
    bundle: { files: Object.entries(files).map(([path, bytes]) => ({ path, source: bytesSource(bytes) })) },
  });
}

async function refusalOf(work: Promise<unknown>): Promise<ConnectError> {
  const error = await work.then(
    () => expect.fail("was not refused"),
    (thrown: unknown) => ConnectError.from(thrown),
  );
  expectHelpful(error.rawMessage);
  return error;
}

async function versions(name = model) {
  return (await mesh.admin.client(ModelService).listVersions({ project: "default", model: name })).versions;
}

/** What the registry says of a model that it does not have; undefined when it has it. Throws when it does not answer. */
async function absence(): Promise<ConnectError | undefined> {
  try {
    await versions();
    return undefined;
  } catch (thrown) {
    const error = ConnectError.from(thrown);
    if (error.code === Code.NotFound) return error;
    throw error;
  }
}

/** Nothing is left of what was refused, not even the model, and what is right is taken as if nothing had been. */
async function expectUntouched(): Promise<void> {
  expect(await absence()).toBeDefined();
  expect(await mesh.push(model, tinyModel())).toMatchObject({ version: 1n, state: VersionState.READY });
}

const digestOf = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
const artifacts = () => mesh.admin.client(ArtifactService);

describe("a push", () => {
  it.each<[string, () => Uint8Array, Code, RegExp]>([
    ["a text file", () => Buffer.from("Dear registry,\nplease serve this.\n"), Code.InvalidArgument, /ONNX/],
    ["an empty file", () => new Uint8Array(0), Code.InvalidArgument, /ONNX|empty/],
    ["half of a model", () => tinyModel().subarray(0, 60), Code.InvalidArgument, /ONNX/],
    ["a picture", () => Buffer.from("89504e470d0a1a0a0000000d49484452", "hex"), Code.InvalidArgument, /ONNX/],
    ["an unknown operator", unknownOperatorModel, Code.InvalidArgument, /FlyToTheMoon/],
    ["an endless run", endlessModel, Code.FailedPrecondition, /longer than 6000 ms/],
    ["a run that wants 8 GB", greedyModel, Code.FailedPrecondition, /memory|crashes the runtime/],
  ])("of %s is refused, leaves nothing, and the next good one is taken", async (_what, bytes, code, sentence) => {
    const error = await refusalOf(mesh.push(model, bytes()));
    expect(error.rawMessage).toMatch(sentence);
    expect(error.code).toBe(code);
    await expectUntouched();
  });

  // Integer division overflows with a signal on x86 alone.
  it.runIf(process.arch === "x64")("of a model that crashes the runtime crashes nothing of the mesh", async () => {
    const pids = [...mesh.mesh.processes.values()].map((process) => process.pid);
    const error = await refusalOf(mesh.push(model, crashModel()));
    expect(error.code).toBe(Code.FailedPrecondition);
    expect(error.rawMessage).toMatch(/crashes the runtime \(SIGFPE\)/);
    await expectUntouched();
    expect([...mesh.mesh.processes.values()].map((process) => process.pid)).toEqual(pids);
  });

  it.each(["../secret.bin", "/etc/hostname", "weights/../../secret.bin", "..\\secret.bin", "C:\\secret.bin"])(
    "of external data at %s is refused without a look at the file",
    async (location) => {
      const error = await refusalOf(pushFolder({ "model.onnx": externalDataModel(location).model }));
      expect(error.code).toBe(Code.InvalidArgument);
      expect(error.rawMessage).toMatch(/beside or below it, by relative paths/);
      await expectUntouched();
    },
  );

  it("of a model whose external data is missing names the file", async () => {
    const error = await refusalOf(pushFolder({ "model.onnx": externalDataModel("weights/layer.bin").model }));
    expect(error.code).toBe(Code.InvalidArgument);
    expect(error.rawMessage).toMatch(/weights\/layer\.bin/);
    await expectUntouched();
  });

  it("of external data that lies in its bundle is taken", async () => {
    const { model: graph, files } = externalDataModel();
    expect(await pushFolder({ "model.onnx": graph, ...Object.fromEntries(files) })).toMatchObject({ version: 1n });
  });

  it.each(["../model.onnx", "/model.onnx", "a//b", "a/./b", "con\u0000trol"])(
    "that lists a file at %j is refused",
    async (path) => {
      await mesh.push(model, tinyModel());
      const [version] = await versions();
      const file = version?.files[0] ?? expect.fail();
      const error = await refusalOf(
        mesh.admin.client(ModelService).createVersion({
          project: "default",
          model,
          files: [file, { path, sha256: file.sha256, sizeBytes: file.sizeBytes }],
        }),
      );
      expect(error.code).toBe(Code.InvalidArgument);
      expect(await versions()).toHaveLength(1);
    },
  );

  it("of files that were never uploaded is NOT_FOUND", async () => {
    const client = mesh.admin.client(ModelService);
    await client.createModel({ project: "default", name: model });
    const files = [{ path: "model.onnx", sha256: digestOf(Buffer.from("nowhere")), sizeBytes: 7n }];
    const error = await refusalOf(client.createVersion({ project: "default", model, files }));
    expect(error.code).toBe(Code.NotFound);
    expect(await versions()).toEqual([]);
    expect(await mesh.push(model, tinyModel())).toMatchObject({ version: 1n, state: VersionState.READY });
  });

  it("whose registry is killed in the middle leaves no version and no process behind", async () => {
    const registry = mesh.mesh.processes.get("registry") ?? expect.fail();
    const pid = registry.pid ?? expect.fail();
    const pushing = mesh.push(model, endlessModel()).then(
      () => "made",
      () => "refused",
    );
    const probe = await waitFor(() => childProcessesOf(pid).find((child) => /probe-main/.test(child.command)), {
      timeoutMs: 60_000,
      what: "the probe",
    });
    registry.kill("SIGKILL");
    await waitFor(() => !isAlive(probe.pid), { timeoutMs: 5000, what: "the orphaned probe to end" });
    expect(await pushing).toBe("refused");
    await waitFor(() => absence(), { timeoutMs: 60_000, what: "the registry" });
    await expectUntouched();
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("an upload", () => {
  const bytes = mlpModel({ layers: [256, 512, 512, 10] });
  const sha256 = digestOf(bytes);
  const chunk = 128 * 1024;

  const begin = (digest = sha256, size = bytes.length) =>
    artifacts().startUpload({ sha256: digest, sizeBytes: BigInt(size), project: "default" });

  async function* part(uploadId: string, from: number, until: number, content: Uint8Array = bytes) {
    for (let at = from; at < until; at += chunk)
      yield { uploadId, offset: BigInt(at), chunk: content.slice(at, Math.min(at + chunk, until)) };
  }

  it("that breaks half-way goes on from where it stood, and only the whole can become a version", async () => {
    const { uploadId } = await begin();
    const half = 4 * chunk;
    const broken = async function* () {
      yield* part(uploadId, 0, half);
      // What was sent shall arrive before the stream breaks.
      await waitFor(async () => (await begin()).receivedBytes === BigInt(half), { what: "half of the upload" });
      throw new Error("the cable was pulled");
    };
    await expect(artifacts().writeUpload(broken())).rejects.toThrow();
    const client = mesh.admin.client(ModelService);
    await client.createModel({ project: "default", name: model });
    const files = [{ path: "model.onnx", sha256, sizeBytes: BigInt(bytes.length) }];
    const early = await refusalOf(client.createVersion({ project: "default", model, files }));
    expect(early.code).toBe(Code.NotFound);
    const again = await begin();
    expect(again).toMatchObject({ uploadId, receivedBytes: BigInt(half), complete: false });
    const done = await artifacts().writeUpload(part(uploadId, half, bytes.length));
    expect(done).toMatchObject({ complete: true, receivedBytes: BigInt(bytes.length) });
    const { version } = await client.createVersion({ project: "default", model, files });
    expect(version).toMatchObject({ version: 1n, state: VersionState.READY });
  });

  it("of other bytes than its digest says is DATA_LOSS and dropped", async () => {
    const digest = digestOf(Buffer.from("something else"));
    const { uploadId } = await begin(digest);
    const error = await refusalOf(artifacts().writeUpload(part(uploadId, 0, bytes.length)));
    expect(error.code).toBe(Code.DataLoss);
    expect(await begin(digest)).toMatchObject({ receivedBytes: 0n, complete: false });
  });

  it("at the wrong offset is ABORTED and says where it stands", async () => {
    const digest = digestOf(Buffer.from("at the wrong offset"));
    const { uploadId } = await begin(digest);
    const error = await refusalOf(artifacts().writeUpload(part(uploadId, chunk, 2 * chunk)));
    expect(error.code).toBe(Code.Aborted);
    expect(error.rawMessage).toMatch(/\b0\b/);
  });

  it("of more bytes than it said is refused", async () => {
    const digest = digestOf(Buffer.from("more than it said"));
    const { uploadId } = await begin(digest, 1000);
    const error = await refusalOf(artifacts().writeUpload(part(uploadId, 0, 2000)));
    expect([Code.InvalidArgument, Code.OutOfRange]).toContain(error.code);
  });

  it.each<[string, Uint8Array<ArrayBuffer>, number]>([
    ["a digest of 3 bytes", new Uint8Array(3), 10],
    ["a negative size", new Uint8Array(32), -1],
  ])("with %s is INVALID_ARGUMENT", async (_what, digest, size) => {
    expect((await refusalOf(begin(digest, size))).code).toBe(Code.InvalidArgument);
  });

  it("that nobody began is NOT_FOUND", async () => {
    const error = await refusalOf(artifacts().writeUpload(part("no-such-upload", 0, 10)));
    expect(error.code).toBe(Code.NotFound);
  });
});
