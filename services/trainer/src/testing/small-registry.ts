import { createHash } from "node:crypto";
import {
  AliasService,
  ArtifactService,
  ColumnType,
  type CreateVersionRequest,
  DatasetService,
  ModelService,
  VersionState,
} from "@aimass/api/registry";
import { type Address, AimassError, systemClock } from "@aimass/core";
import type { ServiceIdentity } from "@aimass/identity";
import { callerOf, type RpcServer, serveRpc } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";

export interface SmallRegistry {
  readonly server: RpcServer;
  readonly address: Address;
  /** For the registry that comes after it. */
  readonly memory: RegistryMemory;
  /** Adds a version of a dataset; its number. Columns whose cells are all plain numbers are number columns. */
  addDataset(name: string, csv: string): bigint;
  /** What was asked of CreateVersion, one for each version that was made. */
  readonly versions: { readonly request: CreateVersionRequest; readonly by: string; readonly onnx: Uint8Array }[];
  /** Where aliases point, by "model@alias". May be changed. */
  readonly aliases: Map<string, bigint>;
  /** The state that new versions have; READY unless set. */
  newState: VersionState;
  /** Awaited before each chunk of a download. */
  beforeChunk: () => Promise<void>;
  /** Awaited after a version was made, before it is told. */
  afterVersion: () => Promise<void>;
}

/** What outlives a restart. */
export interface RegistryMemory {
  readonly blobs: Map<string, Buffer>;
  readonly datasets: Map<string, Buffer[]>;
  readonly models: Set<string>;
  readonly versions: SmallRegistry["versions"];
  readonly aliases: Map<string, bigint>;
}

function freshMemory(): RegistryMemory {
  return { blobs: new Map(), datasets: new Map(), models: new Set(), versions: [], aliases: new Map() };
}

/** The few calls of the registry that a training makes, in memory, over real RPC. For tests of the trainer alone. */
export async function startSmallRegistry(
  identity: ServiceIdentity,
  listen: Address = { host: "127.0.0.1", port: 0 },
  memory: RegistryMemory = freshMemory(),
): Promise<SmallRegistry> {
  const { blobs, datasets, models } = memory;
  const state = {
    memory,
    versions: memory.versions,
    aliases: memory.aliases,
    newState: VersionState.READY,
    beforeChunk: async () => {},
    afterVersion: async () => {},
  };
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  const server = await serveRpc({
    name: "registry",
    listen,
    identity,
    telemetry: silentTelemetry(),
    clock: systemClock,
    services: [DatasetService, ArtifactService, ModelService, AliasService],
    actingRoles: ["trainer"],
    routes: (router) =>
      router
        .service(DatasetService, {
          getDatasetVersion({ project, dataset, version }) {
            const versions = datasets.get(dataset) ?? [];
            const number = Number(version) || versions.length;
            const csv = versions[number - 1];
            if (csv === undefined) throw new AimassError("NOT_FOUND", `There is no dataset ${dataset}.`);
            const facts = { version: BigInt(number), sha256: sha256(csv), ...describeCsv(csv.toString()) };
            return { datasetVersion: { project, dataset, ...facts } };
          },
        })
        .service(ArtifactService, {
          startUpload: (request) => ({ uploadId: hex(request.sha256), complete: blobs.has(hex(request.sha256)) }),
          async writeUpload(requests) {
            const chunks: Uint8Array[] = [];
            let id = "";
            for await (const { uploadId, chunk } of requests) {
              id ||= uploadId;
              chunks.push(chunk);
            }
            const bytes = Buffer.concat(chunks);
            if (hex(sha256(bytes)) !== id) throw new AimassError("DATA_LOSS", "The digest does not match.");
            blobs.set(id, bytes);
            return { receivedBytes: BigInt(bytes.length), complete: true };
          },
          async *readArtifact({ sha256: digest, offset }) {
            const bytes =
              blobs.get(hex(digest)) ?? [...datasets.values()].flat().find((csv) => sha256(csv).equals(digest));
            if (bytes === undefined) throw new AimassError("NOT_FOUND", "There is no such artifact.");
            for (let at = Number(offset); at < bytes.length; at += 4096) {
              await state.beforeChunk();
              yield { chunk: bytes.subarray(at, at + 4096) };
            }
          },
        })
        .service(ModelService, {
          getModel({ name }) {
            if (!models.has(name)) throw new AimassError("NOT_FOUND", `There is no model ${name}.`);
            const aliases = [...state.aliases].flatMap(([key, version]) => {
              const [model, alias = ""] = key.split("@");
              return model === name ? [{ name: alias, version }] : [];
            });
            const newestVersion = BigInt(state.versions.filter(({ request }) => request.model === name).length);
            return { model: { name, aliases, newestVersion } };
          },
          getVersion({ project, model, version }) {
            const number = state.aliases.get(`${model}@${version}`) ?? BigInt(/^\d+$/.test(version) ? version : 0);
            const found = state.versions[Number(number) - 1]?.request;
            if (found?.model !== model) throw new AimassError("NOT_FOUND", `There is no version ${version}.`);
            const { files, metrics, lineage } = found;
            const facts = lineage === undefined ? { files, metrics } : { files, metrics, lineage };
            return { version: { project, model, version: number, state: VersionState.READY, ...facts } };
          },
          createModel({ name }) {
            models.add(name);
            return { model: { name } };
          },
          async createVersion(request, context) {
            const known = state.versions.findIndex((v) => v.request.idempotencyKey === request.idempotencyKey);
            const onnx = blobs.get(hex(request.files[0]?.sha256 ?? new Uint8Array()));
            if (onnx === undefined) throw new AimassError("NOT_FOUND", "There is no such artifact.");
            if (known < 0) state.versions.push({ request, by: callerOf(context).principal.id, onnx });
            await state.afterVersion();
            const version = BigInt(known < 0 ? state.versions.length : known + 1);
            const { project, model } = request;
            return { version: { project, model, version, state: state.newState } };
          },
        })
        .service(AliasService, {
          moveAlias({ model, alias, version, expectedVersion }) {
            const key = `${model}@${alias}`;
            const now = state.aliases.get(key) ?? 0n;
            if (expectedVersion !== undefined && expectedVersion !== now) {
              throw new AimassError("ABORTED", `The alias points to ${now}.`, { reason: "ALIAS_MOVED" });
            }
            state.aliases.set(key, version);
            return { move: { alias, fromVersion: now, toVersion: version } };
          },
        }),
  });
  return Object.assign(state, {
    server,
    address: server.address,
    addDataset(name: string, csv: string) {
      const versions = [...(datasets.get(name) ?? []), Buffer.from(csv)];
      datasets.set(name, versions);
      return BigInt(versions.length);
    },
  });
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

function describeCsv(csv: string) {
  const [header = [], ...rows] = csv
    .trim()
    .split("\n")
    .map((line) => line.split(","));
  const columns = header.map((name, i) => {
    const cells = rows.map((row) => row[i] ?? "");
    const numbers = cells.filter((cell) => cell !== "").map(Number);
    const type = numbers.every(Number.isFinite) ? ColumnType.NUMBER : ColumnType.STRING;
    const missing = BigInt(cells.filter((cell) => cell === "").length);
    return { name, type, missing, minimum: Math.min(...numbers), maximum: Math.max(...numbers) };
  });
  return { rows: BigInt(rows.length), columns };
}
