import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AccessService, DirectoryService, Effect, Level } from "@aimass/api/auth";
import { AliasService, type Version } from "@aimass/api/registry";
import { Connection, CredentialsFile, deployModel, Mesh, type MeshOptions, Output, pushModel } from "@aimass/cli";

/** A whole mesh for a test: real processes in a folder of their own, an administrator's connection and a key that may infer everything. */
export class TestMesh implements AsyncDisposable {
  readonly mesh: Mesh;
  readonly admin: Connection;
  readonly apiKey: string;
  readonly folder: string;

  private constructor(mesh: Mesh, admin: Connection, apiKey: string, folder: string) {
    this.mesh = mesh;
    this.admin = admin;
    this.apiKey = apiKey;
    this.folder = folder;
  }

  static async start(options: Partial<MeshOptions> = {}): Promise<TestMesh> {
    const folder = mkdtempSync(join(tmpdir(), "aimass-test-"));
    const mesh = await Mesh.start({
      data: join(folder, "data"),
      port: 0,
      tritonPorts: false,
      durable: false,
      ...options,
    });
    try {
      const admin = new Connection(mesh.url(), {
        kind: "session",
        file: new CredentialsFile(join(folder, "credentials.json")),
      });
      await admin.signIn("admin", mesh.adminPassword() as string);
      return new TestMesh(mesh, admin, await createKey(admin), folder);
    } catch (error) {
      await mesh.stop(1000);
      throw error;
    }
  }

  /** "host:port" of a router. */
  address(router = 0): string {
    return new URL(this.mesh.url(router)).host;
  }

  /** Pushes a model as its next version and points `default` at it. */
  async push(
    model: string,
    onnx: Uint8Array,
    options: { moveAlias?: boolean; runLimitMs?: number; manifest?: string } = {},
  ): Promise<Version> {
    const folder = join(this.folder, model);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "model.onnx"), onnx);
    if (options.runLimitMs !== undefined)
      writeFileSync(join(folder, "model.yaml"), `serving: { run_limit_ms: ${options.runLimitMs} }\n`);
    if (options.manifest !== undefined) writeFileSync(join(folder, "model.yaml"), options.manifest);
    const version = await pushModel({
      connection: this.admin,
      output: new Output({ json: true }),
      project: "default",
      model,
      path: folder,
    });
    if (options.moveAlias !== false) await this.moveAlias(model, version.version);
    return version;
  }

  async moveAlias(model: string, version: bigint): Promise<void> {
    await this.admin
      .client(AliasService)
      .moveAlias({ project: "default", model, alias: "default", version, reason: "test" });
  }

  /** Pushes, deploys and waits until it serves. */
  async serve(
    model: string,
    onnx: Uint8Array,
    replicas: number,
    options: { runLimitMs?: number; manifest?: string } = {},
  ): Promise<Version> {
    const version = await this.push(model, onnx, options);
    const expected = [{ alias: "default", version: version.version }];
    await deployModel(this.admin, { project: "default", model, replicas }, { expected });
    return version;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.mesh.stop(5000);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function createKey(admin: Connection): Promise<string> {
  const directory = admin.client(DirectoryService);
  await directory.createServiceAccount({ name: "traffic", description: "test traffic" });
  await admin.client(AccessService).putGrant({
    grant: { subject: "service-account:traffic", resource: "*", level: Level.INFER, effect: Effect.ALLOW },
  });
  return (await directory.createApiKey({ principal: "service-account:traffic", description: "test traffic" })).secret;
}
