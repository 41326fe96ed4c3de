import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FinishedSpan } from "./finished-span.ts";
import { currentTraceparent, withTraceparent } from "./trace-context.ts";
import { makeTraceparent, parseTraceparent } from "./traceparent.ts";
import { createTracer } from "./tracer.ts";

const hex = (digits: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: digits, maxLength: digits });

function recording(sampleRatio: number) {
  const spans: FinishedSpan[] = [];
  const sink = { add: (span: FinishedSpan) => void spans.push(span), async [Symbol.asyncDispose]() {} };
  return { spans, tracer: createTracer({ sampleRatio, sink }) };
}

describe("parseTraceparent()", () => {
  it("reads back what makeTraceparent() wrote", () => {
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
        fc.pre(!/^0+$/.test(traceId) && !/^0+$/.test(spanId));
        expect(parseTraceparent(makeTraceparent({ traceId, spanId, sampled }))).toEqual({ traceId, spanId, sampled });
      }),
    );
  });

  it("ignores what the specification says to ignore", () => {
    const trace = "0af7651916cd43dd8448eb211c80319c";
    const bad = ["", "00", `00-${"0".repeat(32)}-b7ad6b7169203331-01`, `ff-${trace}-b7ad6b7169203331-01`];
    for (const text of [
      ...bad,
      `00-${trace}-b7ad6b7169203331-01-extra`,
      `00-${trace.toUpperCase()}-b7ad6b7169203331-01`,
    ]) {
      expect(parseTraceparent(text), text).toBeUndefined();
    }
    expect(parseTraceparent(`cc-${trace}-b7ad6b7169203331-01-later`)?.traceId).toBe(trace);
  });
});

describe("createTracer()", () => {
  it("keeps the caller's decision and trace, sampled or not", () => {
    const { spans, tracer } = recording(0);
    const sampled = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    const span = tracer.start("x", { parent: sampled });
    span.end();
    span.end();
    expect(parseTraceparent(span.traceparent)).toMatchObject({ traceId: "a".repeat(32), sampled: true });
    expect(spans).toMatchObject([{ name: "x", parentSpanId: "b".repeat(16) }]);
    const unsampled = sampled.replace(/01$/, "00");
    expect(tracer.start("y", { parent: unsampled }).traceparent).toBe(unsampled);
    expect(spans).toHaveLength(1);
  });

  it("samples about the share it was told to", () => {
    const { tracer } = recording(0.25);
    let sampled = 0;
    for (let i = 0; i < 4000; i++) if (tracer.start("x").recorded) sampled += 1;
    expect(sampled).toBeGreaterThan(800);
    expect(sampled).toBeLessThan(1200);
  });

  it("starts a trace for a caller with a broken header", () => {
    expect(parseTraceparent(recording(0).tracer.start("x", { parent: "nonsense" }).traceparent)).toBeDefined();
  });
});

describe("withTraceparent()", () => {
  it("is seen across awaits and not outside", async () => {
    const seen = await withTraceparent("00-x", async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return currentTraceparent();
    });
    expect(seen).toBe("00-x");
    expect(currentTraceparent()).toBeUndefined();
  });
});
