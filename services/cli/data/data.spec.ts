import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type DatasetFormat, type DatasetProfile, openDataset, profileDataset } from "@aimass/datasets";
import { describe, expect, it } from "vitest";

interface Shipped {
  readonly file: string;
  readonly format: DatasetFormat;
  readonly sha256: string;
  readonly rows: number;
  /** Type and missing values by column. */
  readonly columns: Readonly<Record<string, readonly [type: string, missing: number]>>;
  /** Rows of each class. */
  readonly classes?: { readonly column: string; readonly counts: Readonly<Record<string, number>> };
}

const number = ["number", 0] as const;
const text = ["string", 0] as const;

const shipped: readonly Shipped[] = [
  {
    file: "diabetes.csv",
    format: "csv",
    sha256: "c48610bb2ef2cf5e6d4617ee217287e58ce3aa37549b1aeffea2d8c287ca57ea",
    rows: 442,
    columns: Object.fromEntries(
      ["age", "sex", "bmi", "bp", "tc", "ldl", "hdl", "tch", "ltg", "glu", "progression"].map((name) => [name, number]),
    ),
  },
  {
    file: "penguins.csv",
    format: "csv",
    sha256: "f204db2c753b0937caac3cb35258562c14f073e4bbc76be24b4c51ce22767a93",
    rows: 344,
    columns: {
      species: text,
      island: text,
      bill_length_mm: ["number", 2],
      bill_depth_mm: ["number", 2],
      flipper_length_mm: ["number", 2],
      body_mass_g: ["number", 2],
      sex: ["string", 11],
      year: number,
    },
    classes: { column: "species", counts: { Adelie: 152, Gentoo: 124, Chinstrap: 68 } },
  },
  {
    file: "sms.csv",
    format: "csv",
    sha256: "e931f68ed008cb3c43897893e7fd33cd0853db7c75eb6e59990d65bd652412e2",
    rows: 2572,
    columns: { label: text, text },
    classes: { column: "label", counts: { ham: 2000, spam: 572 } },
  },
  {
    file: "reviews-zh.csv",
    format: "csv",
    sha256: "77a4e6a26cd96dcbbb5fd3615d4a00323e493091aee3f2727a1da2d85bfc7e05",
    rows: 4000,
    columns: { label: text, text },
    classes: { column: "label", counts: { good: 2000, bad: 2000 } },
  },
  {
    file: "digits.zip",
    format: "image-zip",
    sha256: "1eb0199d172d33f6c72004761377156c54298631ba9402c1d6476e4feb7188c5",
    rows: 1797,
    columns: { image: ["image", 0], label: text },
    classes: {
      column: "label",
      counts: { "0": 178, "1": 182, "2": 177, "3": 183, "4": 181, "5": 182, "6": 181, "7": 179, "8": 174, "9": 180 },
    },
  },
];

const pathOf = (file: string) => fileURLToPath(new URL(file, import.meta.url));

function classesOf(profile: DatasetProfile, column: string): Record<string, number> {
  const frequent = profile.columns.find(({ name }) => name === column)?.frequent?.values ?? [];
  return Object.fromEntries(frequent.map(({ value, count }) => [String(value), count]));
}

describe.each(shipped)("$file as it is shipped", ({ file, format, sha256, rows, columns, classes }) => {
  it("has the bytes its page speaks of", () => {
    expect(
      createHash("sha256")
        .update(readFileSync(pathOf(file)))
        .digest("hex"),
    ).toBe(sha256);
  });

  it("has the rows, columns and classes its page speaks of", async () => {
    const profile = await profileDataset({ format, file: pathOf(file) });
    expect(profile.rows).toBe(rows);
    expect(Object.fromEntries(profile.columns.map((c) => [c.name, [c.type, c.missing]]))).toEqual(columns);
    if (classes !== undefined) expect(classesOf(profile, classes.column)).toEqual(classes.counts);
  });
});

describe("the digits", () => {
  it("all decode to 8 × 8 grey pixels of 17 levels", async () => {
    await using dataset = await openDataset({ format: "image-zip", file: pathOf("digits.zip") });
    const levels = new Set<number>();
    let images = 0;
    for await (const batch of dataset.batches({ batchRows: 256 })) {
      const column = batch.columns.get("image");
      if (column?.type !== "image") expect.fail();
      for (const reference of column.values) {
        const { width, height, rgb } = await reference.decode();
        expect([width, height]).toEqual([8, 8]);
        for (let i = 0; i < rgb.length; i += 3) {
          levels.add(rgb[i] as number);
          expect([rgb[i + 1], rgb[i + 2]]).toEqual([rgb[i], rgb[i]]);
        }
        images += 1;
      }
    }
    expect(images).toBe(1797);
    const expected = Array.from({ length: 17 }, (_, value) => Math.round((value * 255) / 16));
    expect([...levels].sort((a, b) => a - b)).toEqual(expected);
  }, 120_000);
});

describe("the texts", () => {
  it.each(["sms.csv", "reviews-zh.csv"])("of %s hold no telephone numbers and no addresses of people", (file) => {
    const words = readFileSync(pathOf(file), "utf8");
    expect(words.match(/[0-9]*[1-9][0-9]{4,}|[1-9][0-9]{4,}/g) ?? []).toEqual([]);
    expect(words.replaceAll("name@example.com", "").match(/\S+@[\w-]+\.\w+/g) ?? []).toEqual([]);
  });
});
