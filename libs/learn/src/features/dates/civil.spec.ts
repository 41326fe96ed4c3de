import { GraphBuilder, loadRuntime } from "@aimass/onnx";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FeatureGraph, featureGraphOptions } from "../feature-graph.ts";
import { type CivilDay, civilOf } from "./civil.ts";
import { addCivil } from "./civil-graph.ts";

const day = 86_400_000;
const first = Date.UTC(1600, 0, 1) / day;
const last = Date.UTC(2400, 11, 31) / day;

/** As JavaScript's Date has it. */
function dateOf(days: number): CivilDay {
  const date = new Date(days * day);
  // Date.UTC would take years before 100 for those of the last century.
  const march = new Date(0).setUTCFullYear(date.getUTCFullYear() - (date.getUTCMonth() < 2 ? 1 : 0), 2, 1);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: (date.getUTCDay() + 6) % 7,
    sinceMarch: days - march / day,
  };
}

describe("the calendar", () => {
  it("is the one of Date on every day from 1600 to 2400", () => {
    const wrong: number[] = [];
    for (let days = first; days <= last; days++) {
      if (JSON.stringify(civilOf(days)) !== JSON.stringify(dateOf(days))) wrong.push(days);
    }
    expect(wrong).toEqual([]);
  });

  it("is the one of Date as far as Date goes, leap days and years before the first too", () => {
    for (const text of [
      "2000-02-29",
      "1900-02-28",
      "1900-03-01",
      "2024-02-29",
      "1970-01-01",
      "1969-12-31",
      "0000-02-29",
      "0100-02-28",
    ]) {
      const days = Date.parse(text) / day;
      expect(civilOf(days), text).toEqual(dateOf(days));
    }
    const anyDay = fc.integer({ min: -99_000_000, max: 99_000_000 });
    fc.assert(
      fc.property(anyDay, (days) => {
        expect(civilOf(days)).toEqual(dateOf(days));
      }),
    );
  });

  it("of the graph is the same, at any hour of a day", async () => {
    const { InferenceSession, Tensor } = await loadRuntime();
    const builder = new GraphBuilder("civil", featureGraphOptions);
    const graph = new FeatureGraph(builder, [{ name: "t", type: "string", reading: { kind: "date" } }]);
    const names = ["year", "month", "day", "weekday", "sinceMarch"] as const;
    const values = addCivil(graph, "t");
    for (const name of names) {
      builder.output(builder.node("Identity", [values[name]], {}, { outputs: [name] }), "INT64", ["N"]);
    }
    const session = await InferenceSession.create(builder.toBytes());
    const some = Array.from({ length: 5000 }, (_, i) => first + ((i * 7919) % (last - first)) + (i % 10) / 10);
    const days = Float64Array.from([...some, -0.5, -1, 0, -719_529, -99_999_999.5, 99_999_999, 1e12, -1e12]);
    const found = await session.run({ t: new Tensor("float64", days, [days.length]) });
    for (const [row, value] of days.entries()) {
      const civil = Object.fromEntries(names.map((name) => [name, Number(found[name]?.data[row])]));
      expect(civil, String(value)).toEqual(civilOf(value));
    }
  });
});
