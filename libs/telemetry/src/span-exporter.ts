import type { FinishedSpan, SpanSink } from "./finished-span.ts";
import type { Logger } from "./logger.ts";

/** Spans kept while the exporter is still being loaded. */
const earlyLimit = 2048;

/**
 * Sends spans to an OTLP/HTTP collector through OpenTelemetry's NodeSDK, which batches, and drops rather than blocks when the collector is slow or away.
 * The SDK takes 0.1 s to load: that happens in the background, so that process start does not wait for it.
 */
export function createSpanExporter(options: {
  endpoint: string;
  resource: Readonly<Record<string, string>>;
  log: Logger;
}): SpanSink {
  const early: FinishedSpan[] = [];
  let deliver: ((span: FinishedSpan) => void) | undefined;
  const loaded = startSdk(options.endpoint, options.resource).then(
    (sdk) => {
      deliver = sdk.deliver;
      for (const span of early.splice(0)) deliver(span);
      return sdk;
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

/** Whether a span is recorded was decided when it began, and its ids have travelled already: the SDK samples all it gets and takes over the ids. */
async function startSdk(endpoint: string, attributes: Readonly<Record<string, string>>) {
  const [{ NodeSDK }, { AlwaysOnSampler, BatchSpanProcessor }, { OTLPTraceExporter }, { resourceFromAttributes }, api] =
    await Promise.all([
      import("@opentelemetry/sdk-node"),
      import("@opentelemetry/sdk-trace"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/resources"),
      import("@opentelemetry/api"),
    ]);
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/+$/, "")}/v1/traces`, timeoutMillis: 5000 });
  let current: FinishedSpan;
  const sdk = new NodeSDK({
    resource: resourceFromAttributes(attributes),
    autoDetectResources: false,
    instrumentations: [],
    sampler: new AlwaysOnSampler(),
    idGenerator: { generateTraceId: () => current.traceId, generateSpanId: () => current.spanId },
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: 1000 })],
  });
  sdk.start();
  const tracer = api.trace.getTracer("aimass");
  return {
    deliver(span: FinishedSpan): void {
      current = span;
      const { traceId, parentSpanId, startedAt, failure } = span;
      const parent = { traceId, spanId: parentSpanId ?? "", traceFlags: api.TraceFlags.SAMPLED, isRemote: true };
      const context =
        parentSpanId === undefined ? api.ROOT_CONTEXT : api.trace.setSpanContext(api.ROOT_CONTEXT, parent);
      const kind = api.SpanKind[span.kind.toUpperCase() as keyof typeof api.SpanKind];
      const exported = tracer.startSpan(
        span.name,
        { kind, startTime: startedAt, attributes: span.attributes },
        context,
      );
      if (failure !== undefined) exported.setStatus({ code: api.SpanStatusCode.ERROR, message: failure });
      exported.end(span.endedAt);
    },
    shutdown: () => sdk.shutdown(),
  };
}
