import { type Address, AimassError, codeFromNumber, systemClock } from "@aimass/core";
import { type UnaryResult, Upstream } from "@aimass/h2";
import {
  decodeInferResponse,
  decodeStreamInferResponse,
  encodeInferRequest,
  type InferRequest,
  type InferResponse,
  noParameters,
  type Tensor,
} from "@aimass/oip";

const service = "/inference.GRPCInferenceService/";

/** Calls a replica as a router does. */
export class ReplicaClient implements Disposable {
  readonly #upstream: Upstream;
  readonly #token: () => string;

  constructor(address: Address, token: () => string) {
    this.#upstream = new Upstream({ address, clock: systemClock });
    this.#token = token;
  }

  /** Resolves once calls can be sent. */
  async ready(): Promise<this> {
    while (this.#upstream.state !== "ready") await systemClock.sleep(5);
    return this;
  }

  /** ModelInfer on "default.<model>", at `version`. Rejects with the AimassError of a gRPC status. */
  async infer(
    model: string,
    inputs: readonly Tensor[],
    more: Partial<InferRequest> & { version?: number; timeout?: string } = {},
  ): Promise<InferResponse> {
    const { version = 1, timeout, ...rest } = more;
    const request = {
      modelName: model,
      modelVersion: "",
      id: "",
      parameters: noParameters,
      inputs,
      outputs: [],
      ...rest,
    };
    const headers = { ...this.#target(model, version), ...(timeout !== undefined && { "grpc-timeout": timeout }) };
    const result = await this.grpc("ModelInfer", encodeInferRequest(request, { framed: true }), headers);
    return decodeInferResponse(result.body.subarray(5));
  }

  /** A gRPC call with a framed body. Rejects with the AimassError of its status. */
  async grpc(method: string, framed: Uint8Array, headers: Record<string, string> = {}): Promise<UnaryResult> {
    const grpc = { "content-type": "application/grpc", te: "trailers" };
    const result = await this.#upstream.unary({
      path: service + method,
      headers: { ...this.#own(), ...grpc, ...headers },
      body: framed,
    });
    const fields = { ...result.headers, ...result.trailers };
    if (fields["grpc-status"] === "0") return result;
    const message = decodeURIComponent(fields["grpc-message"] ?? "");
    throw new AimassError(codeFromNumber(Number(fields["grpc-status"])), message, {
      retryAfterMs: Number(fields["grpc-retry-pushback-ms"] ?? 0),
    });
  }

  /** ModelStreamInfer with these messages; resolves with its answers and trailers. */
  async stream(
    model: string,
    messages: readonly InferRequest[],
  ): Promise<{ answers: { errorMessage: string; response?: InferResponse }[]; trailers: Record<string, string> }> {
    const headers = { ...this.#own(), ...this.#target(model, 1), "content-type": "application/grpc", te: "trailers" };
    const stream = this.#upstream.open({ path: `${service}ModelStreamInfer`, headers });
    for (const message of messages) await stream.write(encodeInferRequest(message, { framed: true }));
    stream.end();
    const chunks: Buffer[] = [];
    for await (const chunk of stream.chunks()) chunks.push(chunk);
    const all = Buffer.concat(chunks);
    const answers: { errorMessage: string; response?: InferResponse }[] = [];
    for (let at = 0; at < all.length; ) {
      const end = at + 5 + all.readUInt32BE(at + 1);
      answers.push(decodeStreamInferResponse(all.subarray(at + 5, end)));
      at = end;
    }
    return { answers, trailers: { ...(await stream.trailers) } };
  }

  /** A REST call about "default.<model>". */
  rest(
    method: string,
    path: string,
    options: { model?: string; version?: number; body?: Uint8Array | string; headers?: Record<string, string> } = {},
  ): Promise<UnaryResult> {
    const { model, version = 1, body = "", headers = {} } = options;
    const target = model === undefined ? {} : this.#target(model, version);
    return this.#upstream.unary({
      method,
      path,
      headers: { ...this.#own(), ...target, ...headers },
      body: Buffer.from(body),
    });
  }

  [Symbol.dispose](): void {
    this.#upstream.close();
  }

  #own(): Record<string, string> {
    const token = this.#token();
    return token === "" ? {} : { "aimass-service": token };
  }

  #target(model: string, version: number): Record<string, string> {
    return { "aimass-model": `default.${model}`, "aimass-version": String(version) };
  }
}
