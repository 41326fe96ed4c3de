import { randomFillSync } from "node:crypto";
import type { AttributeValue, SpanKindName, SpanSink } from "./finished-span.ts";
import { makeTraceparent, parseTraceparent } from "./traceparent.ts";

export interface SpanOptions {
  /** The caller's traceparent; without a valid one a new trace begins. */
  readonly parent?: string | undefined;
  readonly kind?: SpanKindName;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** One timed step of a trace. */
export interface Span extends Disposable {
  /** What to send on, whether or not this span is recorded. */
  readonly traceparent: string;
  readonly recorded: boolean;
  setAttribute(name: string, value: AttributeValue): void;
  /** Marks the step as failed. */
  fail(error: unknown): void;
  /** Ends the step; further calls do nothing. Disposing ends too. */
  end(): void;
}

/** Starts spans. A trace that its beginner did not sample is passed on unchanged and costs next to nothing. */
export interface Tracer {
  start(name: string, options?: SpanOptions): Span;
}

/** A tracer with parent-based ratio sampling. Without a sink it only makes and passes on ids. */
export function createTracer(options: { sampleRatio: number; sink?: SpanSink }): Tracer {
  const { sampleRatio, sink } = options;
  return {
    start(name, { parent, kind = "internal", attributes } = {}) {
      const from = parseTraceparent(parent);
      if (from !== undefined && (!from.sampled || sink === undefined)) return new PassedOnSpan(parent as string);
      const traceId = from?.traceId ?? randomHex(16);
      const sampled = from?.sampled ?? isSampled(traceId, sampleRatio);
      const spanId = randomHex(8);
      const traceparent = makeTraceparent({ traceId, spanId, sampled });
      if (!sampled || sink === undefined) return new PassedOnSpan(traceparent);
      return new RecordedSpan({
        name,
        kind,
        traceId,
        spanId,
        parentSpanId: from?.spanId,
        attributes,
        traceparent,
        sink,
      });
    },
  };
}

class PassedOnSpan implements Span {
  readonly traceparent: string;
  readonly recorded = false;

  constructor(traceparent: string) {
    this.traceparent = traceparent;
  }

  setAttribute(): void {}
  fail(): void {}
  end(): void {}
  [Symbol.dispose](): void {}
}

interface RecordedSpanInit {
  readonly name: string;
  readonly kind: SpanKindName;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly attributes: Readonly<Record<string, AttributeValue>> | undefined;
  readonly traceparent: string;
  readonly sink: SpanSink;
}

class RecordedSpan implements Span {
  readonly traceparent: string;
  readonly recorded = true;
  readonly #init: RecordedSpanInit;
  readonly #attributes: Record<string, AttributeValue>;
  readonly #startedAt = performance.timeOrigin + performance.now();
  #failure: string | undefined;
  #ended = false;

  constructor(init: RecordedSpanInit) {
    this.#init = init;
    this.traceparent = init.traceparent;
    this.#attributes = { ...init.attributes };
  }

  setAttribute(name: string, value: AttributeValue): void {
    this.#attributes[name] = value;
  }

  fail(error: unknown): void {
    this.#failure = error instanceof Error ? error.message : String(error);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const { name, kind, traceId, spanId, parentSpanId, sink } = this.#init;
    const endedAt = performance.timeOrigin + performance.now();
    const times = { startedAt: this.#startedAt, endedAt };
    sink.add({
      name,
      kind,
      traceId,
      spanId,
      parentSpanId,
      ...times,
      attributes: this.#attributes,
      failure: this.#failure,
    });
  }

  [Symbol.dispose](): void {
    this.end();
  }
}

/** By the trace id, as OpenTelemetry's ratio sampler does, so that processes agree. */
function isSampled(traceId: string, ratio: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;
}

const pool = Buffer.alloc(4096);
let used = pool.length;

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString("hex", used - bytes, used);
}
