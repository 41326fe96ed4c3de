import { AimassError, abortError, type Clock, codeFromNumber } from "@aimass/core";
import { type Span, type Telemetry, withTraceparent } from "@aimass/telemetry";
import type { ConnectError, Interceptor, StreamRequest, UnaryRequest } from "@connectrpc/connect";
import { callerKey } from "./caller.ts";
import type { RunningCalls } from "./drain.ts";
import { isInternal, toConnectError } from "./error-mapping.ts";
import type { RpcMetrics } from "./rpc-metrics.ts";

export interface CallInterceptorOptions {
  readonly telemetry: Telemetry;
  readonly metrics: RpcMetrics;
  readonly clock: Clock;
  readonly running: RunningCalls;
}

type Request = UnaryRequest | StreamRequest;

/**
 * Around every call: a span whose context the handler and its own calls see, metrics, the deadline (an answer goes out when it passes even if the handler
 * pays no attention), and errors in their wire form.
 */
export function createCallInterceptor(options: CallInterceptorOptions): Interceptor {
  return (next) => async (request) => {
    const call = new ObservedCall(options, request);
    if (!request.stream) return call.finish(() => race(() => next(request), request.signal, call));
    const message = wholeOnly(request.message, request.signal);
    const response = await call.open(() => race(() => next({ ...request, message }), request.signal, call));
    if (!response.stream) return response;
    return { ...response, message: call.observe(response.message) };
  };
}

class ObservedCall {
  readonly traceparent: string;
  readonly #options: CallInterceptorOptions;
  readonly #request: Request;
  readonly #span: Span;
  readonly #startedAt: number;
  readonly #leave: () => void;

  constructor(options: CallInterceptorOptions, request: Request) {
    this.#options = options;
    this.#request = request;
    this.#startedAt = options.clock.monotonic();
    this.#leave = options.running.enter();
    const caller = request.contextValues.get(callerKey);
    this.#span = options.telemetry.tracer.start(`${request.service.typeName}/${request.method.name}`, {
      parent: caller?.traceparent,
      kind: "server",
      attributes: { "rpc.system": "grpc", "aimass.principal": caller?.principal.id ?? "" },
    });
    this.traceparent = this.#span.traceparent;
    if (caller !== undefined) request.contextValues.set(callerKey, { ...caller, traceparent: this.traceparent });
  }

  /** Runs a call to its end. */
  async finish<T>(work: () => Promise<T>): Promise<T> {
    const result = await this.open(work);
    this.#end(undefined);
    return result;
  }

  /** Runs the beginning of a call; ends it only when that fails. */
  async open<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#end(error);
    }
  }

  /** The messages of a stream, ended when they end, when the caller goes, or when the server drains and the stream would never end by itself. */
  async *observe<T>(messages: AsyncIterable<T>): AsyncIterable<T> {
    const iterator = withTraceparent(this.traceparent, () => messages[Symbol.asyncIterator]());
    const { signal, method } = this.#request;
    const draining = isEndless(method.name, method.methodKind) ? this.#options.running.draining : undefined;
    try {
      while (true) {
        const result = await race(() => iterator.next(), signal, this, draining);
        if (result.done) break;
        yield result.value;
      }
      this.#end(undefined);
    } catch (error) {
      throw this.#end(error);
    } finally {
      this.#end(new AimassError("CANCELLED", "The caller ended the stream."));
      void Promise.resolve(iterator.return?.()).catch(() => {});
    }
  }

  #ended = false;

  #end(error: unknown): ConnectError | undefined {
    const failure = error === undefined ? undefined : toConnectError(error);
    if (this.#ended) return failure;
    this.#ended = true;
    const { telemetry, metrics, clock } = this.#options;
    const { method } = this.#request;
    if (failure !== undefined && isInternal(failure)) {
      const fields = { method: `${method.parent.typeName}/${method.name}`, error: innermost(failure) };
      telemetry.log.scope("rpc.server").error("call failed inside the service", fields);
    }
    if (failure !== undefined) this.#span.fail(failure);
    this.#span.end();
    metrics.ended(
      method,
      failure === undefined ? "OK" : codeFromNumber(failure.code),
      clock.monotonic() - this.#startedAt,
    );
    this.#leave();
    return failure;
  }
}

/** Node ends a request's stream cleanly when it is cancelled, or when its call was answered at the deadline: that end is not the last message. */
async function* wholeOnly<T>(messages: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  yield* messages;
  if (signal.aborted) throw abortError(signal);
}

/** What happened underneath, for the log. */
function innermost(failure: ConnectError): unknown {
  const cause = failure.cause;
  return cause instanceof AimassError && cause.cause !== undefined ? cause.cause : (cause ?? failure);
}

/** Watches and two-way streams go on until someone ends them; their callers connect again elsewhere. */
function isEndless(name: string, kind: string): boolean {
  return kind === "bidi_streaming" || (kind === "server_streaming" && name.startsWith("Watch"));
}

/** Runs `work` in the call's trace context; rejects when a signal aborts first, whatever becomes of the work. */
async function race<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
  call: { traceparent: string },
  other?: AbortSignal,
): Promise<T> {
  const signals = other === undefined ? [signal] : [signal, other];
  for (const s of signals) if (s.aborted) throw abortError(s);
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(abortError(signals.find((s) => s.aborted) ?? signal));
    for (const s of signals) s.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([withTraceparent(call.traceparent, work), aborted]);
  } finally {
    for (const s of signals) s.removeEventListener("abort", onAbort as () => void);
  }
}
