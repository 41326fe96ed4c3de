import { randomUUID } from "node:crypto";
import type { Environment } from "@aimass/core";
import { createLogger, type Logger, silentLogger } from "./logger.ts";
import { type Metrics, MetricsRegistry } from "./metrics.ts";
import { addProcessMetrics } from "./process-metrics.ts";
import { prometheusText } from "./prometheus-text.ts";
import { createSpanExporter } from "./span-exporter.ts";
import { readTelemetryConfig } from "./telemetry-config.ts";
import { createTracer, type Tracer } from "./tracer.ts";

/** Logs, metrics and traces of one process. Disposing sends what is still waiting. */
export interface Telemetry extends AsyncDisposable {
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** Names with dots by which the admin listener may be asked; "*" for any. */
  readonly adminHosts: readonly string[];
  /** Every metric in Prometheus' text format. */
  metricsText(): Promise<string>;
}

/** Telemetry as the environment wants it (`readTelemetryConfig`). Throws ConfigError. */
export function createTelemetry(options: { service: string; instance?: string; env: Environment }): Telemetry {
  const config = readTelemetryConfig(options.env);
  const instance = options.instance || randomUUID();
  const log = createLogger({ service: options.service, instance, levels: config.levels, format: config.format });
  const resource = { "service.name": options.service, "service.instance.id": instance };
  const sink =
    config.otlpEndpoint === undefined
      ? undefined
      : createSpanExporter({ endpoint: config.otlpEndpoint, resource, log: log.scope("telemetry.export") });
  const registry = new MetricsRegistry();
  const processMetrics = addProcessMetrics(registry);
  const startedAt = Date.now();
  return {
    log,
    metrics: registry,
    tracer: createTracer({ sampleRatio: config.sampleRatio, ...(sink !== undefined && { sink }) }),
    adminHosts: config.adminHosts,
    metricsText: () => prometheusText(registry.families.values(), resource, startedAt),
    async [Symbol.asyncDispose]() {
      processMetrics[Symbol.dispose]();
      await sink?.[Symbol.asyncDispose]();
    },
  };
}

/** For tests: logs nothing, exports nothing, but counts and passes traces on. */
export function silentTelemetry(): Telemetry {
  const registry = new MetricsRegistry();
  const startedAt = Date.now();
  return {
    log: silentLogger,
    metrics: registry,
    tracer: createTracer({ sampleRatio: 0 }),
    adminHosts: [],
    metricsText: () => prometheusText(registry.families.values(), { "service.name": "test" }, startedAt),
    async [Symbol.asyncDispose]() {},
  };
}
