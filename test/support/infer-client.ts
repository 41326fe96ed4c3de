import * as grpc from "@grpc/grpc-js";

/** The path of ModelInfer. */
const path = "/inference.GRPCInferenceService/ModelInfer";
const asBytes = (bytes: Buffer) => bytes;

/** How a stock gRPC client is set up. */
export interface InferClientOptions {
  /** "host:port", one or more: with several, calls go round robin and UNAVAILABLE is retried on another, as grpc-js offers it. */
  readonly addresses: readonly string[];
  readonly apiKey: string;
  readonly deadlineMs: number;
}

/** An answer as it came: the encoded ModelInferResponse. */
export type InferOutcome =
  | { readonly ok: true; readonly body: Buffer }
  | { readonly ok: false; readonly code: number; readonly message: string };

/** @grpc/grpc-js itself, calling ModelInfer with encoded requests: a client written by others. With one address it never retries. */
export class InferClient {
  readonly #client: grpc.Client;
  readonly #metadata = new grpc.Metadata();
  readonly #deadlineMs: number;
  readonly #attempts: number;

  constructor(options: InferClientOptions) {
    const several = options.addresses.length > 1;
    const retryPolicy = {
      maxAttempts: 4,
      initialBackoff: "0.05s",
      maxBackoff: "0.5s",
      backoffMultiplier: 2,
      retryableStatusCodes: ["UNAVAILABLE"],
    };
    const serviceConfig = {
      loadBalancingConfig: [{ [several ? "round_robin" : "pick_first"]: {} }],
      methodConfig: several ? [{ name: [{ service: "inference.GRPCInferenceService" }], retryPolicy }] : [],
    };
    const target = several ? `ipv4:${options.addresses.join(",")}` : (options.addresses[0] as string);
    this.#client = new grpc.Client(target, grpc.credentials.createInsecure(), {
      "grpc.service_config": JSON.stringify(serviceConfig),
      "grpc.enable_retries": several ? 1 : 0,
      "grpc.initial_reconnect_backoff_ms": 50,
      "grpc.max_reconnect_backoff_ms": 500,
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
    });
    this.#metadata.set("authorization", `Bearer ${options.apiKey}`);
    this.#deadlineMs = options.deadlineMs;
    this.#attempts = several ? 3 : 1;
  }

  /**
   * Calls; never rejects. With several addresses, UNAVAILABLE is tried again: gRPC's own retries end once the headers of an answer have come, which a
   * killed router may have sent just before.
   */
  async infer(request: Buffer, deadlineMs = this.#deadlineMs): Promise<InferOutcome> {
    const deadline = Date.now() + deadlineMs;
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.#call(request, deadline);
      if (outcome.ok || outcome.code !== grpc.status.UNAVAILABLE || attempt === this.#attempts) return outcome;
    }
  }

  #call(request: Buffer, deadline: number): Promise<InferOutcome> {
    return new Promise((resolve) => {
      this.#client.makeUnaryRequest(path, asBytes, asBytes, request, this.#metadata, { deadline }, (error, body) => {
        resolve(
          error === null ? { ok: true, body: body as Buffer } : { ok: false, code: error.code, message: error.details },
        );
      });
    });
  }

  close(): void {
    this.#client.close();
  }
}
