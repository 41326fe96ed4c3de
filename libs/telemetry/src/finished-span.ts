export type SpanKindName = "internal" | "server" | "client" | "producer" | "consumer";
export type AttributeValue = string | number | boolean;

/** A finished span, before it takes the exporter's shape. Times in milliseconds since the epoch. */
export interface FinishedSpan {
  readonly name: string;
  readonly kind: SpanKindName;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly failure: string | undefined;
}

/** Takes finished spans. */
export interface SpanSink extends AsyncDisposable {
  add(span: FinishedSpan): void;
}
