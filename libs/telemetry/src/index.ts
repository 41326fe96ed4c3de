export { type AdminServer, serveAdmin } from "./admin-server.ts";
export type { SpanKindName } from "./finished-span.ts";
export type { Labels } from "./labels.ts";
export { type LogLevel, LogLevels, parseLogLevels } from "./log-levels.ts";
export type { Logger } from "./logger.ts";
export type {
  BoundCounter,
  BoundGauge,
  BoundHistogram,
  Counter,
  Gauge,
  Histogram,
  Metrics,
  Observation,
} from "./metrics.ts";
export { defaultBoundaries } from "./metrics.ts";
export { createTelemetry, silentTelemetry, type Telemetry } from "./telemetry.ts";
export { readTelemetryConfig, type TelemetryConfig } from "./telemetry-config.ts";
export { currentTraceparent, withTraceparent } from "./trace-context.ts";
export { makeTraceparent, parseTraceparent, type Traceparent } from "./traceparent.ts";
export type { Span, SpanOptions, Tracer } from "./tracer.ts";
