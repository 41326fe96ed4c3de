import { AimassError, type Clock } from "@aimass/core";
import type { ServerCall } from "@aimass/h2";
import type { PolicyStore } from "@aimass/identity";
import type { Logger } from "@aimass/telemetry";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { ControlProxy } from "../control/control-proxy.ts";
import { backendOf } from "../control/public-services.ts";
import { knownPrincipal } from "../pipeline/known-principal.ts";
import type { Guard } from "./guard.ts";
import { type InferDoor, inferPath } from "./infer-door.ts";
import type { OpenStreams } from "./open-streams.ts";
import { answerError, codecOf, type Protocol, protocolOf } from "./protocol.ts";
import type { RestDoor } from "./rest-door.ts";
import { type StreamDoor, streamInferPath } from "./stream-door.ts";
import { answerByHandler } from "./universal-adapter.ts";

export interface FrontDoorOptions {
  readonly guard: Guard;
  readonly infer: InferDoor;
  readonly stream: StreamDoor;
  readonly rest: RestDoor;
  readonly streams: OpenStreams;
  readonly smallRpcs: ReadonlyMap<string, UniversalHandler>;
  readonly control: ControlProxy;
  readonly policy: PolicyStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** RPCs of Triton that make no sense here, and what to do instead. */
const notOffered: Readonly<Record<string, string>> = {
  RepositoryModelLoad: "Deploy with `aimass deploy`, or the DeploymentService.",
  RepositoryModelUnload: "Deploy with `aimass deploy`, or the DeploymentService.",
  SystemSharedMemoryStatus: "Send tensors in the request.",
  SystemSharedMemoryRegister: "Send tensors in the request.",
  SystemSharedMemoryUnregister: "Send tensors in the request.",
  CudaSharedMemoryStatus: "Send tensors in the request.",
  CudaSharedMemoryRegister: "Send tensors in the request.",
  CudaSharedMemoryUnregister: "Send tensors in the request.",
  TraceSetting: "Operators set AIMASS_TRACE_SAMPLE.",
  LogSettings: "Operators set LOG.",
};

/** Where every request comes in: looks at host and origin, then at the path, and hands the call to the door it is for. Always answers. */
export class FrontDoor {
  readonly #options: FrontDoorOptions;

  constructor(options: FrontDoorOptions) {
    this.#options = options;
  }

  readonly handle = (call: ServerCall): void => {
    const query = call.path.indexOf("?");
    const path = query < 0 ? call.path : call.path.slice(0, query);
    const isRpc = isRpcPath(path);
    const protocol = protocolOf(call, isRpc);
    try {
      const admitted = this.#options.guard.admit(call);
      if (admitted === undefined) return;
      this.#dispatch(admitted, path, protocol).catch((error: unknown) => this.#fail(admitted, error, protocol));
    } catch (error) {
      this.#fail(call, error, protocol);
    }
  };

  async #dispatch(call: ServerCall, path: string, protocol: Protocol): Promise<void> {
    if (protocol === "grpc" && call.protocol !== "h2") throw grpcNeedsHttp2();
    if (call.method !== "POST" && this.#isOfferedRpc(path)) return refuseMethod(call);
    if (path === inferPath) return this.#options.infer.answer(call, protocol);
    if (path === streamInferPath) return this.#answerStream(call, protocol);
    const handler = this.#options.smallRpcs.get(path);
    if (handler !== undefined) return this.#answerSmall(call, handler);
    const rest = this.#options.rest.answer(call);
    if (rest !== false) return rest;
    const backend = backendOf(path);
    if (backend !== undefined) return this.#options.control.pass(call, backend);
    throw unknownPath(path, protocol);
  }

  #isOfferedRpc(path: string): boolean {
    if (path === inferPath || path === streamInferPath || this.#options.smallRpcs.has(path)) return true;
    return isRpcPath(path) && backendOf(path) !== undefined;
  }

  #answerSmall(call: ServerCall, handler: UniversalHandler): Promise<void> {
    if (handler.method.methodKind === "unary") return answerByHandler(call, handler);
    const { streams, policy, clock } = this.#options;
    const principal = knownPrincipal(call, policy, clock.now());
    if (principal.kind !== "anonymous") call.recognize();
    return streams.hold(call, principal, (held) => answerByHandler(held, handler));
  }

  #answerStream(call: ServerCall, protocol: Protocol): Promise<void> {
    if (protocol === "grpc" && codecOf(call.headers["content-type"]) === "proto")
      return this.#options.stream.answer(call);
    throw new AimassError("UNIMPLEMENTED", "ModelStreamInfer works by gRPC with protobuf only.", {
      remedy: "Call ModelInfer.",
    });
  }

  #fail(call: ServerCall, thrown: unknown, protocol: Protocol): void {
    const error = AimassError.from(thrown);
    if (error.code === "INTERNAL")
      this.#options.log.error("call failed", { path: call.path, error: error.cause ?? error });
    answerError(call, error, protocol);
  }
}

/** "/package.Service/Method". */
function isRpcPath(path: string): boolean {
  const slash = path.indexOf("/", 1);
  if (slash < 0) return false;
  const dot = path.indexOf(".");
  return dot > 0 && dot < slash && path.indexOf("/", slash + 1) < 0;
}

/**
 * Connect has a GET for RPCs without side effects, which services would answer: addresses with requests in them come into logs, histories and caches, and links of other sites
 * may lead to them. So every RPC is a POST here, under the same rules for origins.
 */
function refuseMethod(call: ServerCall): void {
  call.respond({ status: 405, headers: { allow: "POST", "cache-control": "no-store" } });
}

function unknownPath(path: string, protocol: Protocol): AimassError {
  if (protocol === "rest") {
    return new AimassError("NOT_FOUND", `There is nothing at ${path.slice(0, 200)}.`, {
      remedy: "Models are under /v2/models and /predict, the console is at /console/.",
    });
  }
  const [service = "", method = ""] = path.slice(1).split("/");
  const instead = Object.hasOwn(notOffered, method) ? notOffered[method] : undefined;
  return new AimassError("UNIMPLEMENTED", `${service}/${method} is not offered here.`.slice(0, 300), {
    reason: "NOT_OFFERED",
    remedy: instead ?? "Server reflection lists what is.",
  });
}

function grpcNeedsHttp2(): AimassError {
  return new AimassError("INVALID_ARGUMENT", "gRPC needs HTTP/2; this request came by HTTP/1.1.", {
    remedy: "Use gRPC-Web, Connect or REST over HTTP/1.1.",
  });
}
