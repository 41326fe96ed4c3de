import { ModelStatisticsResponseSchema } from "@aimass/api/inference";
import { systemClock } from "@aimass/core";
import { type Listener, listen, type ServerCall } from "@aimass/h2";
import { create, toBinary } from "@bufbuild/protobuf";

/** What a tiny replica does with the next inference call. */
export type Behaviour = (call: ServerCall, body: Buffer) => void | Promise<void>;

/** A real listener that answers inference calls by echoing the request's bytes as the answer's. */
export interface TinyReplica {
  readonly id: string;
  readonly address: string;
  /** Bodies and headers of the inference calls it got. */
  readonly calls: {
    readonly headers: Readonly<Record<string, string>>;
    readonly path: string;
    readonly body: Buffer;
  }[];
  behaviour: Behaviour;
  /** Calls for statistics that it has, and the most it had at a time. */
  readonly asked: { now: number; most: number };
  kill(): Promise<void>;
}

/** Echoes; the answer's head says which replica it was. */
export function echo(id: string, trailers: Record<string, string> = {}): Behaviour {
  return (call, body) => {
    const isGrpc = call.headers["content-type"] === "application/grpc";
    const answer = {
      status: 200,
      headers: { "content-type": isGrpc ? "application/grpc" : "application/json", "x-replica": id },
      body,
    };
    call.respond(
      isGrpc ? { ...answer, trailers: { "grpc-status": "0", "aimass-queue-depth": "0", ...trailers } } : answer,
    );
  };
}

/** Answers with a gRPC status and nothing else. */
export function refuse(status: number, message = ""): Behaviour {
  return (call) => {
    const headers = { "content-type": "application/grpc", "grpc-status": String(status), "grpc-message": message };
    call.respond({ status: 200, headers });
  };
}

/** Never answers. */
export const hang: Behaviour = () => {};

/** Breaks the connection off, as a process that dies does. */
export async function startReplica(id: string, port = 0): Promise<TinyReplica> {
  const replica: { -readonly [K in keyof TinyReplica]: TinyReplica[K] } = {
    id,
    address: "",
    calls: [],
    behaviour: echo(id),
    asked: { now: 0, most: 0 },
    kill: () => listener.drain(0),
  };
  const listener: Listener = await listen({
    listen: { host: "127.0.0.1", port },
    handler: (call) => void answer(replica, call).catch(() => {}),
  });
  replica.address = `127.0.0.1:${listener.address.port}`;
  return replica;
}

async function answer(replica: TinyReplica, call: ServerCall): Promise<void> {
  const body = await call.body(1 << 30);
  if (call.path.endsWith("/ModelStatistics")) return answerStatistics(replica, call);
  replica.calls.push({ headers: call.headers, path: call.path, body });
  await replica.behaviour(call, body);
}

async function answerStatistics(replica: TinyReplica, call: ServerCall): Promise<void> {
  const { asked } = replica;
  asked.now += 1;
  asked.most = Math.max(asked.most, asked.now);
  await systemClock.sleep(5);
  asked.now -= 1;
  const inferenceCount = BigInt(replica.calls.length);
  const message = toBinary(
    ModelStatisticsResponseSchema,
    create(ModelStatisticsResponseSchema, { modelStats: [{ name: "m", version: "1", inferenceCount }] }),
  );
  const framed = Buffer.alloc(5 + message.length);
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, 5);
  call.respond({
    status: 200,
    headers: { "content-type": "application/grpc" },
    body: framed,
    trailers: { "grpc-status": "0" },
  });
}
