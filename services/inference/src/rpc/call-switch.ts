import { AimassError } from "@aimass/core";
import type { ServerCall } from "@aimass/h2";
import type { ServiceIdentity } from "@aimass/identity";
import { encodeRestError } from "@aimass/oip";
import { RestCalls } from "../rest/rest-calls.ts";
import { admitRouter } from "./admission.ts";
import type { CallContext } from "./call-context.ts";
import { answerGrpcError } from "./grpc-answer.ts";
import { ModelFacts, modelCalls } from "./model-calls.ts";
import { modelInfer } from "./model-infer.ts";
import { modelStreamInfer } from "./model-stream-infer.ts";

const service = "/inference.GRPCInferenceService/";

/** The replica's door: refuses what no router sent, then hands each call to its handler. */
export function createCallSwitch(options: {
  context: CallContext;
  identity: ServiceIdentity;
  kind: "cpu" | "gpu";
}): (call: ServerCall) => void {
  const { context, identity } = options;
  const facts = new ModelFacts(context, options.kind);
  const small = modelCalls(context, facts);
  const rest = new RestCalls(context, facts);
  return (call) => {
    const isGrpc = call.headers["content-type"]?.startsWith("application/grpc") === true;
    try {
      admitRouter(call, identity);
    } catch (error) {
      return refuse(call, AimassError.from(error), isGrpc);
    }
    call.recognize();
    if (!isGrpc) return void rest.answer(call);
    if (!call.path.startsWith(service))
      return answerGrpcError(call, new AimassError("UNIMPLEMENTED", "A replica offers GRPCInferenceService only."));
    const name = call.path.slice(service.length);
    if (name === "ModelInfer") return void modelInfer(context, call);
    if (name === "ModelStreamInfer") return void modelStreamInfer(context, call);
    return void small(name, call);
  };
}

function refuse(call: ServerCall, error: AimassError, isGrpc: boolean): void {
  if (isGrpc) answerGrpcError(call, error);
  else call.respond(encodeRestError(error));
}
