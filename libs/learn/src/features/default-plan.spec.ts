import type { ColumnProfile } from "@aimass/datasets";
import { describe, expect, it } from "vitest";
import { checkPlan } from "./check-plan.ts";
import { type ColumnFacts, defaultPlan } from "./default-plan.ts";

const rows = 1000;

function words(name: string, distinct: number, looks: "date" | "category" | "text", sample: string): ColumnFacts {
  const frequent = { values: [{ value: sample }] };
  return {
    name,
    type: "string",
    count: rows,
    distinct: { count: distinct },
    frequent,
    statistics: { kind: "string", looks },
  };
}

describe("the default plan", () => {
  const plan = defaultPlan(
    {
      columns: [
        { name: "price", type: "number", count: rows, distinct: { count: 400 } },
        { name: "constant", type: "number", count: rows, distinct: { count: 1 } },
        { name: "empty", type: "string", count: 0 },
        { name: "member", type: "boolean", count: rows, distinct: { count: 2 } },
        words("city", 30, "category", "Ho Chi Minh City"),
        { ...words("street", 2500, "text", "High Street"), count: 5000 },
        words("id", rows, "text", "a81bc09f"),
        words("day", 700, "date", "2024-02-29"),
        words("review", 990, "text", "It works, mostly."),
        words("评论", 990, "text", "这个产品非常好用我很喜欢下次还会再来买"),
        { name: "photo", type: "image", count: rows },
        words("label", 2, "category", "yes"),
      ],
    },
    "label",
  );

  it("gives each column the feature that suits it, and leaves out the target and what tells nothing", () => {
    expect(plan.features.map((spec) => `${"column" in spec ? spec.column : ""} ${spec.kind}`)).toEqual([
      "price number",
      "member number",
      "city oneHot",
      "street hash",
      "day date",
      "review text",
      "评论 text",
      "photo image",
    ]);
    expect(plan.notes?.map((note) => note.split(":")[0])).toEqual(
      ["constant", "empty", "id"].map((name) => `Column "${name}" is left out`),
    );
    checkPlan(plan);
  });

  it("works from names and types alone, and from a dataset's profile", () => {
    const bare = defaultPlan(
      {
        columns: [
          { name: "a", type: "string" },
          { name: "b", type: "number" },
        ],
      },
      "b",
    );
    expect(bare.features).toEqual([{ kind: "oneHot", column: "a" }]);
    const profile: ColumnProfile[] = [
      { name: "a", type: "number", count: 0, missing: 3, statistics: { kind: "empty" } },
    ];
    expect(defaultPlan({ columns: profile }, "b").features).toEqual([]);
  });

  it("takes no column that has a word of its own in nearly every row, unless a person named it", () => {
    const columns = [words("code", 960, "text", "K-1000"), words("tag", 940, "text", "K-1000")];
    const { features, notes } = defaultPlan({ columns }, "y");
    expect(features.map((feature) => "column" in feature && feature.column)).toEqual(["tag"]);
    expect(notes).toEqual([expect.stringMatching(/"code" is left out: nearly every row has a value of its own/)]);
    expect(defaultPlan({ columns }, "y", { named: true }).features).toHaveLength(2);
    const few = columns.map((facts) => ({ ...facts, count: 90, distinct: { count: 90 } }));
    expect(defaultPlan({ columns: few }, "y").features).toHaveLength(2);
  });
});
