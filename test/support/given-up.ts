import { request as requestHttp1 } from "node:http";
import { connect as connectHttp2, constants } from "node:http2";
import * as grpc from "@grpc/grpc-js";

/** One way in which a client gives a call up: sends it, waits `ms`, and is gone. Resolves then. */
export type GiveUp = (address: string, apiKey: string, call: GivenUpCall, ms: number) => Promise<void>;

/** A call in both its forms. */
export interface GivenUpCall {
  /** Path and body of the REST form. */
  readonly path: string;
  readonly json: string;
  /** An encoded ModelInferRequest. */
  readonly message: Buffer;
}

const service = "/inference.GRPCInferenceService/";
const same = (bytes: Buffer) => bytes;
const after = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

function grpcCall(address: string, apiKey: string) {
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), {
    "grpc.enable_retries": 0,
    "grpc.use_local_subchannel_pool": 1,
  });
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${apiKey}`);
  return { client, metadata };
}

const http2Call = (address: string, apiKey: string, call: GivenUpCall) => {
  const session = connectHttp2(`http://${address}`);
  session.on("error", () => {});
  const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
  const stream = session.request({ ":method": "POST", ":path": call.path, ...headers });
  stream.on("error", () => {});
  stream.end(call.json);
  return { session, stream };
};

/** Every way to give up, by name. */
export const waysToGiveUp: Readonly<Record<string, GiveUp>> = {
  "a cancelled gRPC call": async (address, apiKey, call, ms) => {
    const { client, metadata } = grpcCall(address, apiKey);
    const running = client.makeUnaryRequest(`${service}ModelInfer`, same, same, call.message, metadata, () => {});
    await after(ms);
    running.cancel();
    await after(20);
    client.close();
  },
  "a gRPC deadline": async (address, apiKey, call, ms) => {
    const { client, metadata } = grpcCall(address, apiKey);
    await new Promise<void>((resolve) => {
      const deadline = Date.now() + ms;
      client.makeUnaryRequest(`${service}ModelInfer`, same, same, call.message, metadata, { deadline }, () =>
        resolve(),
      );
    });
    client.close();
  },
  "a cancelled ModelStreamInfer": async (address, apiKey, call, ms) => {
    const { client, metadata } = grpcCall(address, apiKey);
    const stream = client.makeBidiStreamRequest(`${service}ModelStreamInfer`, same, same, metadata);
    stream.on("error", () => {});
    stream.write(call.message);
    await after(ms);
    stream.cancel();
    await after(20);
    client.close();
  },
  "a closed HTTP/1.1 connection": async (address, apiKey, call, ms) => {
    const [host, port] = address.split(":");
    const headers = { authorization: `Bearer ${apiKey}`, "content-type": "application/json" };
    const running = requestHttp1({ host, port, path: call.path, method: "POST", headers, agent: false });
    running.on("error", () => {});
    running.end(call.json);
    await after(ms);
    running.destroy();
  },
  "a reset HTTP/2 stream": async (address, apiKey, call, ms) => {
    const { session, stream } = http2Call(address, apiKey, call);
    await after(ms);
    stream.close(constants.NGHTTP2_CANCEL);
    await after(20);
    session.destroy();
  },
  "a closed HTTP/2 connection": async (address, apiKey, call, ms) => {
    const { session } = http2Call(address, apiKey, call);
    await after(ms);
    session.destroy();
  },
};
