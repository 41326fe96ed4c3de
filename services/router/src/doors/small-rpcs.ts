import { Health, HealthCheckResponse_ServingStatus as Serving } from "@aimass/api/health";
import { GRPCInferenceService } from "@aimass/api/inference";
import { AimassError, type Clock } from "@aimass/core";
import { addReflection, toConnectError } from "@aimass/rpc";
import { type ConnectRouter, createConnectRouter, type HandlerContext } from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import { publicServices } from "../control/public-services.ts";
import type { ModelFacts } from "../inference/model-facts.ts";
import type { ServerInfo } from "../inference/server-info.ts";
import type { CallerFactory, TracedCaller } from "../pipeline/caller-factory.ts";
import { compressions } from "./compressions.ts";
import { serverCallKey } from "./universal-adapter.ts";

export interface SmallRpcsOptions {
  readonly facts: ModelFacts;
  readonly info: ServerInfo;
  readonly callers: CallerFactory;
  readonly clock: Clock;
}

/** Largest message of these calls. */
const messageLimitBytes = 64 * 1024;

/** How often a health watch looks. */
const healthEveryMs = 500;

/** The RPCs that the router answers itself, by path: everything of the inference service but running models, health, reflection. */
export function createSmallRpcs(options: SmallRpcsOptions): ReadonlyMap<string, UniversalHandler> {
  const router = createConnectRouter({ readMaxBytes: messageLimitBytes, acceptCompression: compressions });
  addInference(router, options);
  addHealth(router, options);
  addReflection(router, [GRPCInferenceService, Health, ...Object.values(publicServices).flat()]);
  const running = new Set(["ModelInfer", "ModelStreamInfer"]);
  const handlers = router.handlers.filter((h) => h.service !== GRPCInferenceService || !running.has(h.method.name));
  return new Map(handlers.map((handler) => [handler.requestPath, handler]));
}

function addInference(router: ConnectRouter, { facts, info, callers }: SmallRpcsOptions): void {
  /** Finds out who calls, and ends their span with the call. */
  const asked = <I, O>(handler: (request: I, caller: TracedCaller) => O | Promise<O>) =>
    answering(async (request: I, context: HandlerContext) => {
      const call = context.values.get(serverCallKey);
      if (call === undefined) throw new AimassError("INTERNAL", "A call lost its context.");
      const caller = callers.create(call, `router.${context.method.localName}`, context.timeoutMs());
      using _ = caller.span;
      return await handler(request, caller);
    });
  router.service(GRPCInferenceService, {
    serverLive: () => ({ live: true }),
    serverReady: () => ({ ready: info.ready() === true }),
    serverMetadata: () => info.metadata(),
    modelReady: asked(({ name, version }, caller) => ({ ready: isReady(facts, { caller, name, version }) })),
    modelMetadata: asked((request, caller) => facts.metadata(request, caller)),
    modelConfig: asked((request, caller) => facts.config(request, caller)),
    modelStatistics: asked(async (request, caller) => ({ modelStats: await facts.statistics(request, caller) })),
    repositoryIndex: asked(({ ready }, caller) => ({ models: info.index(caller.principal, ready) })),
  });
}

/** A model that is not there is not ready: Triton answers so, and its clients ask before the first push. */
function isReady(facts: ModelFacts, which: Parameters<ModelFacts["ready"]>[0]): boolean {
  try {
    return facts.ready(which);
  } catch (error) {
    if (error instanceof AimassError && error.code === "NOT_FOUND") return false;
    throw error;
  }
}

function addHealth(router: ConnectRouter, { info, clock }: SmallRpcsOptions): void {
  const known = new Set(["", GRPCInferenceService.typeName, Health.typeName]);
  const statusOf = () => (info.ready() === true ? Serving.SERVING : Serving.NOT_SERVING);
  router.service(Health, {
    check: answering(async ({ service }) => {
      if (!known.has(service)) throw new AimassError("NOT_FOUND", `There is no service "${service}" here.`);
      return { status: statusOf() };
    }),
    async *watch({ service }, context) {
      let last: Serving | undefined;
      while (!context.signal.aborted) {
        const status = known.has(service) ? statusOf() : Serving.SERVICE_UNKNOWN;
        if (status !== last) yield { status };
        last = status;
        await clock.sleep(healthEveryMs, context.signal).catch(() => {});
      }
      const { reason } = context.signal;
      if (reason instanceof AimassError) throw toConnectError(reason);
    },
  });
}

/** Turns what a handler throws into the error that its caller's protocol has. */
function answering<I, O>(handler: (request: I, context: HandlerContext) => Promise<O>) {
  return async (request: I, context: HandlerContext): Promise<O> => {
    try {
      return await handler(request, context);
    } catch (error) {
      throw toConnectError(error);
    }
  };
}
