import {
  type ColumnProfile,
  type Part,
  partNames,
  type RowAssignment,
  type SplitDescription,
  type SplitSpec,
} from "@aimass/datasets";
import type { ClassLabels, Task } from "@aimass/learn";
import type { KeptBy } from "./data-policy.ts";
import type { BoundedRead } from "./dataset-file.ts";

/** What a dataset taught when it was opened; with its file enough to open it again. Plain JSON. */
export interface TrainingFacts {
  readonly read: BoundedRead;
  readonly task: Task;
  readonly target: ColumnProfile;
  /** Of the features, in their order. */
  readonly profiles: readonly ColumnProfile[];
  /** Of a classification: how classes are served, and their names in order. */
  readonly classes: { readonly datatype: ClassLabels["datatype"]; readonly names: readonly string[] } | undefined;
  readonly split: SplitSpec;
  /** `kept`: where the data policy left rows out. */
  readonly description: SplitDescription & { readonly kept?: KeptBy };
  /** One byte a row of the file: its part, or 255. */
  readonly partsPath: string;
  readonly rows: Readonly<Record<Part, number>>;
}

/** The classes as estimators have them. */
export function labelsOf({ classes }: TrainingFacts): ClassLabels | undefined {
  if (classes === undefined) return undefined;
  if (classes.datatype === "BYTES") return { datatype: "BYTES", values: classes.names };
  return { datatype: "INT64", values: classes.names.map(BigInt) };
}

/** The parts of a split that is known row by row. */
export function assignmentOf(parts: Uint8Array, names: readonly string[] = partNames): RowAssignment {
  return { parts: names, columns: [], partsOf: ({ firstRow, rows }) => parts.subarray(firstRow, firstRow + rows) };
}
