import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Logger } from "./logger.ts";
import type { FinishedSpan, SpanKindName } from "./tracer.ts";

/** Takes finished spans. */
export interface SpanSink extends AsyncDisposable {
  add(span: FinishedSpan): void;
}

/** Spans kept while the exporter is still being loaded. */
const earlyLimit = 2048;

interface Processor {
  onEnd(span: ReadableSpan): void;
  shutdown(): Promise<void>;
}

/**
 * Sends spans to an OTLP/HTTP collector in batches by OpenTelemetry's batch processor, which drops rather than blocks when the collector is slow or away.
 * The SDK is loaded in the background, so that process start does not wait for it.
 */
export function createSpanExporter(options: {
  endpoint: string;
  resource: Readonly<Record<string, string>>;
  log: Logger;
}): SpanSink {
  const early: FinishedSpan[] = [];
  let deliver: ((span: FinishedSpan) => void) | undefined;
  const loaded = load(options.endpoint, options.resource).then(
    ({ processor, readable }) => {
      deliver = (span) => processor.onEnd(readable(span));
      for (const span of early.splice(0)) deliver(span);
      return processor;
    },
    (error: unknown) => {
      options.log.error("trace exporter failed to load; spans are dropped", { error });
      return undefined;
    },
  );
  return {
    add(span) {
      if (deliver !== undefined) deliver(span);
      else if (early.length < earlyLimit) early.push(span);
    },
    async [Symbol.asyncDispose]() {
      await (await loaded)?.shutdown();
    },
  };
}

async function load(endpoint: string, attributes: Readonly<Record<string, string>>) {
  const [
    { BatchSpanProcessor },
    { OTLPTraceExporter },
    { resourceFromAttributes },
    { SpanKind, SpanStatusCode, TraceFlags },
  ] = await Promise.all([
    import("@opentelemetry/sdk-trace"),
    import("@opentelemetry/exporter-trace-otlp-http"),
    import("@opentelemetry/resources"),
    import("@opentelemetry/api"),
  ]);
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, "")}/v1/traces`, timeoutMillis: 5000 });
  const processor: Processor = new BatchSpanProcessor({ exporter, scheduledDelayMillis: 1000 });
  const resource = resourceFromAttributes(attributes);
  const kinds: Record<SpanKindName, number> = {
    internal: SpanKind.INTERNAL,
    server: SpanKind.SERVER,
    client: SpanKind.CLIENT,
    producer: SpanKind.PRODUCER,
    consumer: SpanKind.CONSUMER,
  };
  const readable = (span: FinishedSpan): ReadableSpan => ({
    name: span.name,
    kind: kinds[span.kind],
    spanContext: () => ({ traceId: span.traceId, spanId: span.spanId, traceFlags: TraceFlags.SAMPLED }),
    ...(span.parentSpanId !== undefined && {
      parentSpanContext: { traceId: span.traceId, spanId: span.parentSpanId, traceFlags: TraceFlags.SAMPLED },
    }),
    startTime: hrTime(span.startedAt),
    endTime: hrTime(span.endedAt),
    duration: hrTime(span.endedAt - span.startedAt),
    status:
      span.failure === undefined
        ? { code: SpanStatusCode.UNSET }
        : { code: SpanStatusCode.ERROR, message: span.failure },
    attributes: span.attributes,
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: { name: "aimass" },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  });
  return { processor, readable };
}

function hrTime(ms: number): [number, number] {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}
