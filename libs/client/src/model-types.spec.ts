import { ColumnKind, SignatureSchema } from "@aimass/api/registry";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { parseAst } from "rolldown/parseAst";
import { describe, expect, it } from "vitest";
import { modelTypes } from "./model-types.ts";

type Init = Exclude<MessageInitShape<typeof SignatureSchema>, { $typeName: string }>;
const typesOf = (signature: Init, model = "risk.card-fraud") =>
  modelTypes(create(SignatureSchema, signature), model, 3n);
const rows = [-1n];

describe("types of a model", () => {
  it("of a table have its columns, with what may be left out, and its outputs by row", () => {
    const column = (kind: ColumnKind, more: object = {}) => ({ kind, ...more });
    const text = typesOf({
      batchable: true,
      inputs: [
        { name: "bill_mm", datatype: "FP32", shape: rows, column: column(ColumnKind.NUMBER, { unit: "mm */" }) },
        { name: "is new", datatype: "FP32", shape: rows, column: column(ColumnKind.BOOLEAN) },
        {
          name: "sex",
          datatype: "BYTES",
          shape: rows,
          column: column(ColumnKind.CATEGORY, { categories: ["f", 'm"'] }),
        },
        { name: "day", datatype: "FP32", shape: rows, column: column(ColumnKind.DATE) },
        { name: "count", datatype: "INT64", shape: [-1n, 1n] },
        { name: "image", datatype: "UINT8", shape: [-1n, 8n, 8n], optional: true },
      ],
      outputs: [
        { name: "label", datatype: "BYTES", shape: rows },
        { name: "probabilities", datatype: "FP32", shape: [-1n, 2n], labels: ["no", "yes"] },
      ],
    });
    expect(text).toBe(`// Of risk.card-fraud version 3, by \`aimass models types\`.
export type RiskCardFraudRow = {
  /** In mm * /. */
  readonly bill_mm?: number | null;
  readonly "is new"?: boolean | null;
  readonly sex?: "f" | "m\\"" | (string & {}) | null;
  readonly day?: string | null;
  readonly count: number;
  readonly image?: readonly (readonly number[])[] | null;
};

export type RiskCardFraudPrediction = {
  readonly label: "no" | "yes";
  /** By class: no, yes. */
  readonly probabilities: readonly number[];
};

export interface RiskCardFraud {
  readonly row: RiskCardFraudRow;
  readonly prediction: RiskCardFraudPrediction;
}
`);
    expect(() => parseAst(text, { lang: "ts" })).not.toThrow();
  });

  it("of one tensor are the values along its first axis", () => {
    const one = (shape: bigint[], datatype = "FP32") => ({ name: "x", datatype, shape });
    const text = (shape: bigint[], datatype = "FP32") =>
      typesOf({ inputs: [one(shape, datatype)], outputs: [one([-1n, 3n])] }, "7up").split("\n");
    expect(text([-1n, 4n])).toContain("export type Model7upRow = readonly number[];");
    expect(text([-1n, 2n, 2n])).toContain("export type Model7upRow = readonly (readonly number[])[];");
    expect(text([-1n], "BYTES")).toContain("export type Model7upRow = string;");
    expect(text([-1n, 4n])).toContain("export type Model7upPrediction = readonly number[];");
  });
});
