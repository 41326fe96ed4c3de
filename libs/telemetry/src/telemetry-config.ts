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
  /** Names with dots by which the admin listener may be asked; "*" for any. */
  readonly adminHosts: readonly string[];
}

/** Reads LOG, LOG_FORMAT, OTEL_EXPORTER_OTLP_ENDPOINT, AIMASS_TRACE_SAMPLE and AIMASS_ADMIN_HOSTS. Throws ConfigError. */
export function readTelemetryConfig(env: Environment): TelemetryConfig {
  const config = readConfig(env, (v) => ({
    log: v.string("LOG", "info"),
    format: v.choice("LOG_FORMAT", ["json", "pretty"], process.stderr.isTTY ? "pretty" : "json"),
    otlpEndpoint: v.optional("OTEL_EXPORTER_OTLP_ENDPOINT"),
    sampleRatio: v.number("AIMASS_TRACE_SAMPLE", { fallback: 0.01, minimum: 0, maximum: 1 }),
    adminHosts: v
      .string("AIMASS_ADMIN_HOSTS", "")
      .split(",")
      .flatMap((name) => name.trim() || []),
  }));
  const { log, ...rest } = config;
  return { ...rest, levels: parseLogLevels(log) };
}
