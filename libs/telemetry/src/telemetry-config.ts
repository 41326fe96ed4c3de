import { type Environment, readConfig } from "@aimass/core";
import { type LogLevels, parseLogLevels } from "./log-levels.ts";

/** What the environment says about logs and traces. */
export interface TelemetryConfig {
  readonly levels: LogLevels;
  readonly format: "json" | "pretty";
  /** Base address of an OTLP/HTTP collector; undefined: spans are not recorded, only their ids travel. */
  readonly otlpEndpoint: string | undefined;
  /** Share of new traces that are recorded, 0–1. A caller's decision is kept. */
  readonly sampleRatio: number;
}

/** Reads LOG, LOG_FORMAT, OTEL_EXPORTER_OTLP_ENDPOINT and AIMASS_TRACE_SAMPLE. Throws ConfigError. */
export function readTelemetryConfig(env: Environment): TelemetryConfig {
  const config = readConfig(env, (v) => ({
    log: v.string("LOG", "info"),
    format: v.choice("LOG_FORMAT", ["json", "pretty"], process.stderr.isTTY ? "pretty" : "json"),
    otlpEndpoint: v.optional("OTEL_EXPORTER_OTLP_ENDPOINT"),
    sampleRatio: v.number("AIMASS_TRACE_SAMPLE", { fallback: 0.01, minimum: 0, maximum: 1 }),
  }));
  const { log, ...rest } = config;
  return { ...rest, levels: parseLogLevels(log) };
}
