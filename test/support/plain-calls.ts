import { connect as connectHttp2 } from "node:http2";
import { connect as connectTcp } from "node:net";
import * as grpc from "@grpc/grpc-js";

/** Path of ModelInfer. */
export const inferPath = "/inference.GRPCInferenceService/ModelInfer";

/** What came back of a gRPC call. `code` is gRPC's number; 0 is OK. */
export interface GrpcAnswer {
  readonly code: number;
  readonly message: string;
  readonly body: Buffer;
  /** Headers and trailers together. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** grpc-js without a schema: any path, any bytes, any headers, for calls that are meant to be wrong. */
export class GrpcCaller implements Disposable {
  readonly #client: grpc.Client;

  constructor(address: string) {
    this.#client = new grpc.Client(address, grpc.credentials.createInsecure(), {
      "grpc.enable_retries": 0,
      "grpc.max_send_message_length": -1,
      "grpc.use_local_subchannel_pool": 1,
    });
  }

  /** Calls once; an error is an answer. */
  call(path: string, message: Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<GrpcAnswer> {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return new Promise((resolve) => {
      let first: grpc.Metadata | undefined;
      let last: grpc.Metadata | undefined;
      const all = () => ({ ...plain(first), ...plain(last) });
      const call = this.#client.makeUnaryRequest(
        path,
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        Buffer.from(message),
        metadata,
        { deadline: Date.now() + 20_000 },
        (error, body) => {
          if (error !== null) last = error.metadata;
          const outcome = error === null ? { code: 0, message: "" } : { code: error.code, message: error.details };
          // The trailers' event comes with or right after the answer.
          setImmediate(() => resolve({ ...outcome, body: body ?? Buffer.alloc(0), metadata: all() }));
        },
      );
      call.on("metadata", (received: grpc.Metadata) => {
        first = received;
      });
      call.on("status", (status: grpc.StatusObject) => {
        last = status.metadata;
      });
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function plain(metadata: grpc.Metadata | undefined): Record<string, string> {
  const entries = Object.entries(metadata?.getMap() ?? {});
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === "string" ? value : value.toString("base64")]),
  );
}

/** What came back of an HTTP call. */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Plain HTTP by fetch. */
export async function http(url: string, init: RequestInit = {}): Promise<HttpAnswer> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(20_000) });
  return { status: response.status, text: await response.text(), headers: Object.fromEntries(response.headers) };
}

/** Sends gRPC bytes by plain HTTP/2, framed as the test says and not as gRPC would. */
export async function rawGrpc(o: {
  address: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
  /** Reset the stream after the body instead of ending it. */
  reset?: boolean;
}): Promise<{ code: number; message: string }> {
  const session = connectHttp2(`http://${o.address}`);
  const { promise, resolve, reject } = Promise.withResolvers<{ code: number; message: string }>();
  session.once("error", reject);
  const stream = session.request({
    ":method": "POST",
    ":path": o.path,
    "content-type": "application/grpc",
    te: "trailers",
    ...o.headers,
  });
  const found: Record<string, string> = {};
  const collect = (fields: object) => Object.assign(found, fields);
  stream.once("response", collect);
  stream.once("trailers", collect);
  stream.once("close", () =>
    resolve({ code: Number(found["grpc-status"] ?? -1), message: decodeURIComponent(found["grpc-message"] ?? "") }),
  );
  stream.once("error", () => {});
  stream.resume();
  if (o.reset) stream.write(Buffer.from(o.body), () => stream.close(8));
  else stream.end(Buffer.from(o.body));
  try {
    return await promise;
  } finally {
    session.close();
  }
}

/** Writes bytes to a port as they are, ends, and gives back all that comes. */
export function rawTcp(address: string, bytes: string | Uint8Array): Promise<string> {
  const { hostname, port } = new URL(`http://${address}`);
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connectTcp({ host: hostname, port: Number(port) }, () => socket.end(bytes));
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.once("error", () => {});
    socket.once("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
    socket.setTimeout(5000, () => socket.destroy());
  });
}
