import type { MetricData, ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { Labels } from "./labels.ts";
import type { MetricFamily, Observation } from "./metrics.ts";

type HrTime = [number, number];
type Modules = Awaited<ReturnType<typeof loadModules>>;

let modules: Promise<Modules> | undefined;

/**
 * The metrics as Prometheus text, by OpenTelemetry's serializer. The SDK is loaded by the first scrape, not at process start, which it would delay by a
 * tenth of a second.
 */
export async function prometheusText(
  families: Iterable<MetricFamily>,
  resource: Readonly<Record<string, string>>,
  startedAt: number,
): Promise<string> {
  modules ??= loadModules();
  const otel = await modules;
  const startTime = hrTime(startedAt);
  const endTime = hrTime(Date.now());
  const metrics = [...families].map((family) => metricData(otel, family, startTime, endTime));
  const data: ResourceMetrics = {
    resource: otel.resourceFromAttributes(resource),
    scopeMetrics: [{ scope: { name: "aimass" }, metrics: metrics.filter((m) => m.dataPoints.length > 0) }],
  };
  return new otel.PrometheusSerializer(undefined, false, undefined, false, true).serialize(data);
}

async function loadModules() {
  const [
    { DataPointType, AggregationTemporality },
    { PrometheusSerializer },
    { resourceFromAttributes },
    { ValueType },
  ] = await Promise.all([
    import("@opentelemetry/sdk-metrics"),
    import("@opentelemetry/exporter-prometheus"),
    import("@opentelemetry/resources"),
    import("@opentelemetry/api"),
  ]);
  return { DataPointType, AggregationTemporality, PrometheusSerializer, resourceFromAttributes, ValueType };
}

function metricData(otel: Modules, family: MetricFamily, startTime: HrTime, endTime: HrTime): MetricData {
  const base = {
    descriptor: { name: family.name, description: family.help, unit: "", valueType: otel.ValueType.DOUBLE },
    aggregationTemporality: otel.AggregationTemporality.CUMULATIVE,
  };
  const point = <T>(labels: Labels, value: T) => ({ startTime, endTime, attributes: labels, value });
  if (family.kind === "histogram") {
    const dataPoints = [...family.table.entries()].map(({ labels, series }) =>
      point(labels, {
        buckets: { boundaries: [...family.boundaries], counts: [...series.counts] },
        sum: series.sum,
        count: series.counts.reduce((a, b) => a + b, 0),
      }),
    );
    return { ...base, dataPointType: otel.DataPointType.HISTOGRAM, dataPoints };
  }
  const dataPoints = [...observations(family)].map((o) => point(o.labels ?? {}, o.value));
  return family.kind === "counter" || family.kind === "observedCounter"
    ? { ...base, dataPointType: otel.DataPointType.SUM, isMonotonic: true, dataPoints }
    : { ...base, dataPointType: otel.DataPointType.GAUGE, dataPoints };
}

function* observations(family: Exclude<MetricFamily, { kind: "histogram" }>): Iterable<Observation> {
  if ("sources" in family) for (const source of family.sources) yield* source();
  else for (const { labels, series } of family.table.entries()) yield { labels, value: series.value };
}

function hrTime(ms: number): HrTime {
  return [Math.floor(ms / 1000), Math.round((ms % 1000) * 1e6)];
}
