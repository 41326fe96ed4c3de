import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ArtifactService,
  BatchingSchema,
  ServingOptionsSchema,
  SignatureSchema,
  TensorSpecSchema,
  type Version,
  VersionSchema,
  VersionState,
} from "@aimass/api/registry";
import {
  type AnnounceNodeRequest,
  AnnounceNodeResponseSchema,
  type AttachReplicaRequest,
  AttachReplicaResponseSchema,
  type DedicatedReplica,
  type GrantReadRequest,
  type ReplicaExit,
  type ReplicaInfo,
  ReplicaService,
} from "@aimass/api/scheduler";
import { type Address, AimassError, PushStream, systemClock } from "@aimass/core";
import { createMeshIdentity, openReadGrant, ServiceIdentity, signReadGrant } from "@aimass/identity";
import { callerOf, type RpcServer, serveRpc } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";
import { create, type MessageInitShape } from "@bufbuild/protobuf";

const roles = ["scheduler", "registry", "inference", "router", "trainer"];

/** A scheduler and a registry for specs: they speak the real contracts over real sockets, and do what the spec says. */
export class ControlPlane implements AsyncDisposable {
  readonly directory: string;
  readonly replicas = new Map<string, ReplicaInfo>();
  readonly nodes = new Map<string, AnnounceNodeRequest>();
  readonly exits: ReplicaExit[] = [];
  readonly #artifacts = new Map<string, Uint8Array>();
  readonly #wanted = new Map<string, readonly Version[]>();
  readonly #streams = new Map<string, PushStream<readonly Version[]>>();
  readonly #identities: ReadonlyMap<string, ServiceIdentity>;
  /** Names of the models that replicas may put aside. */
  readonly onDemand = new Set<string>();
  dedicated: MessageInitShape<typeof AnnounceNodeResponseSchema>["dedicated"] = [] as DedicatedReplica[];
  /** Bytes after which a read of an artifact breaks off; tells whether the reader goes on from there. */
  breakReadsAfter = Number.POSITIVE_INFINITY;
  readsFrom: number[] = [];
  #scheduler: RpcServer | undefined;
  #registry: RpcServer | undefined;

  private constructor(directory: string, identities: ReadonlyMap<string, ServiceIdentity>) {
    this.directory = directory;
    this.#identities = identities;
  }

  static async start(): Promise<ControlPlane> {
    const directory = await mkdtemp(join(tmpdir(), "aimass-inference-"));
    await createMeshIdentity(directory, roles);
    const identities = new Map<string, ServiceIdentity>();
    for (const role of roles) {
      const files = [join(directory, `${role}.identity.json`), join(directory, "trust.json")] as const;
      identities.set(role, await ServiceIdentity.load(...files, systemClock));
    }
    const plane = new ControlPlane(directory, identities);
    await plane.startScheduler({ host: "127.0.0.1", port: 0 });
    await plane.#startRegistry();
    return plane;
  }

  get schedulerAddress(): Address {
    return (this.#scheduler as RpcServer).address;
  }

  /** The variables that a replica or an agent needs to find this mesh. */
  env(): Record<string, string> {
    const at = ({ host, port }: Address) => `${host}:${port}`;
    return {
      ...(process.env as Record<string, string>),
      AIMASS_IDENTITY_FILE: join(this.directory, "inference.identity.json"),
      AIMASS_TRUST_FILE: join(this.directory, "trust.json"),
      AIMASS_STATE_DIR: join(this.directory, "state"),
      AIMASS_SCHEDULER_ADDRESSES: at(this.schedulerAddress),
      AIMASS_REGISTRY_ADDRESSES: at((this.#registry as RpcServer).address),
      AIMASS_NODE: "node-a",
      LOG: process.env.LOG ?? "error",
    };
  }

  /** A service token of a role. */
  token(role: string): string {
    return (this.#identities.get(role) as ServiceIdentity).token();
  }

  /** Says which versions a replica should hold. */
  assign(replicaId: string, versions: readonly Version[]): void {
    this.#wanted.set(replicaId, versions);
    this.#streams.get(replicaId)?.push(versions);
  }

  /** Puts a model's file into the registry and makes a version of it. Specs of inputs and outputs are "x FP32 -1,4". */
  publish(options: {
    model: string;
    version?: number;
    bytes: Uint8Array;
    inputs: readonly string[];
    outputs: readonly string[];
    batchable?: boolean;
    /** What decided on batching; nothing: the version was inspected before that was kept. */
    batching?: MessageInitShape<typeof BatchingSchema>;
    memoryBytes?: number;
    serving?: MessageInitShape<typeof ServingOptionsSchema>;
    /** What the registry says of the file when it lies. */
    digest?: Uint8Array;
  }): Version {
    const sha256 = options.digest ?? createHash("sha256").update(options.bytes).digest();
    this.#artifacts.set(Buffer.from(sha256).toString("hex"), options.bytes);
    return create(VersionSchema, {
      project: "default",
      model: options.model,
      version: BigInt(options.version ?? 1),
      state: VersionState.READY,
      files: [{ path: "model.onnx", sha256: new Uint8Array(sha256), sizeBytes: BigInt(options.bytes.length) }],
      signature: create(SignatureSchema, {
        inputs: options.inputs.map(tensorSpec),
        outputs: options.outputs.map(tensorSpec),
        batchable: options.batchable ?? false,
        ...(options.batching !== undefined && { batching: create(BatchingSchema, options.batching) }),
        memoryBytes: BigInt(options.memoryBytes ?? 0),
      }),
      serving: create(ServingOptionsSchema, options.serving ?? {}),
    });
  }

  async startScheduler(listen: Address): Promise<void> {
    this.#scheduler = await serveRpc({
      name: "scheduler",
      listen,
      identity: this.#identities.get("scheduler") as ServiceIdentity,
      telemetry: silentTelemetry(),
      clock: systemClock,
      services: [ReplicaService],
      allowRoles: () => ["inference"],
      routes: (router) => {
        router.service(ReplicaService, {
          attachReplica: (requests) => this.#attach(requests),
          announceNode: (requests) => this.#announce(requests),
          grantRead: (request) => ({ grant: this.#grant(request) }),
        });
      },
    });
  }

  async stopScheduler(): Promise<void> {
    for (const stream of this.#streams.values()) stream.end();
    this.#streams.clear();
    await this.#scheduler?.drain(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopScheduler();
    await this.#registry?.drain(0);
    await rm(this.directory, { recursive: true, force: true });
  }

  async #startRegistry(): Promise<void> {
    const identity = this.#identities.get("registry") as ServiceIdentity;
    this.#registry = await serveRpc({
      name: "registry",
      listen: { host: "127.0.0.1", port: 0 },
      allowRoles: () => ["inference"],
      identity,
      telemetry: silentTelemetry(),
      clock: systemClock,
      services: [ArtifactService],
      routes: (router) => {
        router.service(ArtifactService, {
          readArtifact: ({ sha256, offset, grant }, context) => {
            const sender = callerOf(context).service;
            openReadGrant(identity, grant, { sender, sha256, nowMs: systemClock.now() });
            return this.#readArtifact(Buffer.from(sha256).toString("hex"), Number(offset));
          },
        });
      },
    });
  }

  async *#readArtifact(sha256: string, offset: number) {
    this.readsFrom.push(offset);
    const bytes = this.#artifacts.get(sha256);
    if (bytes === undefined) throw new AimassError("NOT_FOUND", "There is no such artifact.");
    const end = Math.min(bytes.length, offset + this.breakReadsAfter);
    for (let at = offset; at < end; at += 65_536) {
      yield { chunk: bytes.subarray(at, Math.min(at + 65_536, end)), sizeBytes: BigInt(bytes.length) };
    }
    if (end < bytes.length) throw new AimassError("UNAVAILABLE", "The registry is going away.");
  }

  #grant({ replicaId, model, version }: GrantReadRequest) {
    const assigned = this.#wanted.get(replicaId)?.find((one) => one.model === model && one.version === version);
    if (assigned === undefined) throw new AimassError("PERMISSION_DENIED", `${model} is not assigned to ${replicaId}.`);
    const facts = { node: undefined, project: assigned.project, model, version };
    const sha256 = assigned.files.map((file) => file.sha256);
    const scheduler = this.#identities.get("scheduler") as ServiceIdentity;
    return signReadGrant(scheduler, { ...facts, sha256 }, systemClock.now());
  }

  async *#attach(requests: AsyncIterable<AttachReplicaRequest>) {
    const stream = new PushStream<readonly Version[]>();
    void this.#follow(requests, stream);
    for await (const versions of stream) {
      const assignments = versions.map((version) => ({ version, onDemand: this.onDemand.has(version.model) }));
      yield create(AttachReplicaResponseSchema, { assignments });
    }
  }

  async #follow(requests: AsyncIterable<AttachReplicaRequest>, stream: PushStream<readonly Version[]>) {
    try {
      for await (const { replica, exits } of requests) {
        if (replica === undefined) continue;
        this.exits.push(...exits);
        this.replicas.set(replica.id, replica);
        if (this.#streams.get(replica.id) === stream) continue;
        this.#streams.set(replica.id, stream);
        stream.push(this.#wanted.get(replica.id) ?? []);
      }
    } catch {
      // A replica that dies breaks its stream.
    }
    stream.end();
  }

  async *#announce(requests: AsyncIterable<AnnounceNodeRequest>) {
    for await (const request of requests) {
      this.nodes.set(request.node, request);
      this.exits.push(...request.exits);
      yield create(AnnounceNodeResponseSchema, { dedicated: this.dedicated ?? [] });
    }
  }
}

function tensorSpec(text: string) {
  const [name = "", datatype = "", shape = ""] = text.split(" ");
  const optional = name.endsWith("?");
  const axes = shape === "" ? [] : shape.split(",").map(BigInt);
  return create(TensorSpecSchema, { name: name.replace("?", ""), datatype, shape: axes, optional });
}
