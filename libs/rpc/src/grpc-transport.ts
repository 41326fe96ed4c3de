import { AimassError, abortError } from "@aimass/core";
import {
  create,
  type DescMessage,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { StreamResponse, Transport, UnaryResponse } from "@connectrpc/connect";
import { type Client, type ClientDuplexStream, Metadata, type ServiceError, type StatusObject } from "@grpc/grpc-js";
import { callError } from "./grpc-errors.ts";

export interface GrpcTransportOptions {
  /** Asked for at each call, so that a closed channel is replaced. */
  readonly channel: () => Client;
  /** Headers of every call: identity, principal, trace. */
  readonly headers: () => Readonly<Record<string, string>>;
  /** Deadline of unary calls that set none, in milliseconds. */
  readonly defaultTimeoutMs: number;
  readonly onEnd?: (method: DescMethod, error: AimassError | undefined, startedAt: number) => void;
}

/**
 * A Connect transport over a grpc-js channel, for its balancing, retries and keepalive. Errors are AimassErrors. Unary calls have a deadline; streams have
 * one only when the caller sets it. A call waits for a connection as long as its deadline or signal lets it. The header of a stream's response fills when
 * the first message comes.
 */
export function createGrpcTransport(options: GrpcTransportOptions): Transport {
  return {
    unary: (method, signal, timeoutMs, header, input) => unary(options, method, { signal, timeoutMs, header }, input),
    stream: (method, signal, timeoutMs, header, input) => stream(options, method, { signal, timeoutMs, header }, input),
  };
}

type HeadersInit = ConstructorParameters<typeof Headers>[0];

interface CallSettings {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number | undefined;
  readonly header: HeadersInit;
}

async function unary<I extends DescMessage, O extends DescMessage>(
  options: GrpcTransportOptions,
  method: DescMethod & { input: I; output: O; methodKind: "unary" },
  settings: CallSettings,
  input: MessageInitShape<I>,
): Promise<UnaryResponse<I, O>> {
  const startedAt = performance.now();
  const timeoutMs = settings.timeoutMs ?? options.defaultTimeoutMs;
  const channel = options.channel();
  const header = new Headers();
  try {
    if (settings.signal?.aborted) throw abortError(settings.signal);
    const { message, trailer } = await new Promise<{ message: MessageShape<O>; trailer: Headers }>(
      (resolve, reject) => {
        let answer: MessageShape<O> | undefined;
        const call = channel.makeUnaryRequest(
          pathOf(method),
          (value: MessageShape<I>) => encode(method.input, value),
          (bytes: Buffer) => fromBinary(method.output, bytes),
          create(method.input, input),
          metadataOf(options, settings.header),
          deadlineOf(timeoutMs),
          (error: ServiceError | null, value?: MessageShape<O>) => {
            answer = value;
            if (error !== null) reject(error);
          },
        );
        const onAbort = () => call.cancel();
        settings.signal?.addEventListener("abort", onAbort, { once: true });
        call.on("metadata", (metadata: Metadata) => copyHeaders(metadata, header));
        // Comes after the callback and has the trailers.
        call.on("status", (status: StatusObject) => {
          settings.signal?.removeEventListener("abort", onAbort);
          if (answer !== undefined) resolve({ message: answer, trailer: copyHeaders(status.metadata, new Headers()) });
        });
      },
    );
    options.onEnd?.(method, undefined, startedAt);
    return { stream: false, service: method.parent, method, header, trailer, message } as UnaryResponse<I, O>;
  } catch (error) {
    const failure = callError(error, { method, timeoutMs, channel, signal: settings.signal });
    options.onEnd?.(method, failure, startedAt);
    throw failure;
  }
}

async function stream<I extends DescMessage, O extends DescMessage>(
  options: GrpcTransportOptions,
  method: DescMethod & { input: I; output: O },
  settings: CallSettings,
  input: AsyncIterable<MessageInitShape<I>>,
): Promise<StreamResponse<I, O>> {
  if (settings.signal?.aborted) throw AimassError.from(abortError(settings.signal));
  const startedAt = performance.now();
  const channel = options.channel();
  const call: Duplex<I, O> = channel.makeBidiStreamRequest(
    pathOf(method),
    (value: MessageShape<I>) => encode(method.input, value),
    (bytes: Buffer) => fromBinary(method.output, bytes),
    metadataOf(options, settings.header),
    deadlineOf(settings.timeoutMs ?? 0),
  );
  const header = new Headers();
  const trailer = new Headers();
  call.on("metadata", (metadata: Metadata) => copyHeaders(metadata, header));
  call.on("status", (status: StatusObject) => copyHeaders(status.metadata, trailer));
  // The reader gets the error from the iteration; without a listener a cancelled call would end the process.
  call.on("error", () => {});
  const onAbort = () => call.cancel();
  settings.signal?.addEventListener("abort", onAbort, { once: true });
  const writing = writeAll(call, method.input, input);
  async function* read(): AsyncIterable<MessageShape<O>> {
    let failure: AimassError | undefined;
    try {
      for await (const message of call) yield message as MessageShape<O>;
    } catch (error) {
      const broken = await writing.failure();
      failure = broken ?? callError(error, { method, timeoutMs: settings.timeoutMs, channel, signal: settings.signal });
      throw failure;
    } finally {
      settings.signal?.removeEventListener("abort", onAbort);
      call.cancel();
      options.onEnd?.(method, failure, startedAt);
    }
  }
  return { stream: true, service: method.parent, method, header, trailer, message: read() } as StreamResponse<I, O>;
}

type Duplex<I extends DescMessage, O extends DescMessage> = ClientDuplexStream<MessageShape<I>, MessageShape<O>>;

/** Sends what the input gives, no faster than the peer takes it, until it ends or the call does. An input that throws cancels the call. */
function writeAll<I extends DescMessage, O extends DescMessage>(
  call: Duplex<I, O>,
  schema: I,
  input: AsyncIterable<MessageInitShape<I>>,
): { failure(): Promise<AimassError | undefined> } {
  let broken: AimassError | undefined;
  const iterator = input[Symbol.asyncIterator]();
  const ended = new Promise<"ended">((resolve) => call.once("status", () => resolve("ended")));
  const write = async () => {
    try {
      while (true) {
        const next = await Promise.race([iterator.next(), ended]);
        if (next === "ended") return;
        if (next.done) return void call.end();
        if (!call.write(create(schema, next.value)) && (await Promise.race([drained(call), ended])) === "ended") return;
      }
    } catch (error) {
      broken = AimassError.from(error);
      call.cancel();
    } finally {
      void Promise.resolve(iterator.return?.()).catch(() => {});
    }
  };
  const done = write();
  return {
    async failure() {
      await Promise.race([done, ended]);
      return broken;
    },
  };
}

function drained(call: { once(event: "drain", listener: () => void): unknown }): Promise<void> {
  return new Promise((resolve) => call.once("drain", resolve));
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encode<D extends DescMessage>(schema: D, message: MessageShape<D>): Buffer {
  const bytes = toBinary(schema, message);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function deadlineOf(timeoutMs: number): { deadline?: number } {
  return timeoutMs > 0 ? { deadline: Date.now() + timeoutMs } : {};
}

function metadataOf(options: GrpcTransportOptions, header: HeadersInit): Metadata {
  const metadata = new Metadata({ waitForReady: true });
  for (const [name, value] of Object.entries(options.headers())) metadata.set(name, value);
  new Headers(header).forEach((value, name) => {
    metadata.set(name, name.endsWith("-bin") ? Buffer.from(value, "base64") : value);
  });
  return metadata;
}

function copyHeaders(from: Metadata, to: Headers): Headers {
  for (const [name, value] of Object.entries(from.getMap())) {
    to.set(name, typeof value === "string" ? value : value.toString("base64"));
  }
  return to;
}
