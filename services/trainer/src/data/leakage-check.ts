import type { LeakageSchema } from "@aimass/api/trainer";
import { AimassError } from "@aimass/core";
import { checkLeakage, type Dataset, type LeakageReport, type RowAssignment } from "@aimass/datasets";
import type { MessageInitShape } from "@bufbuild/protobuf";

/** As EvaluationReport.leakage. Plain JSON but for the bigints. */
export type Leakage = Exclude<MessageInitShape<typeof LeakageSchema>, { $typeName: string }>;

export interface LeakageQuestion {
  readonly features: readonly string[];
  readonly target: string;
  /** A column whose values should stay together. */
  readonly groupBy: string | undefined;
  /** Whether one row in two parts fails the job. */
  readonly refuses: boolean;
  readonly signal: AbortSignal;
}

/** What of one part is also in another. Errors: FAILED_PRECONDITION (LEAKAGE) when the policy refuses it. */
export async function findLeakage(
  dataset: Dataset,
  parts: RowAssignment,
  { features, target, groupBy, refuses, signal }: LeakageQuestion,
): Promise<Leakage> {
  const by = groupBy === undefined ? {} : { groupBy };
  if (refuses) {
    const { duplicates } = await checkLeakage(dataset, parts, { columns: [...features, target], signal });
    if (duplicates.contents > 0) throw refused(duplicates);
  }
  const found = await checkLeakage(dataset, parts, { columns: features, ...by, signal });
  return {
    duplicateRows: BigInt(found.duplicates.byPart.test ?? 0),
    validationRows: BigInt(found.duplicates.byPart.validation ?? 0),
    examples: [...sentences(found.duplicates), ...groupSentences(found, groupBy ?? "")],
    sharedGroups: BigInt(found.groups?.count ?? 0),
  };
}

/** What a person should be told of it. */
export function leakageWarnings({ duplicateRows = 0n, validationRows = 0n, sharedGroups = 0n }: Leakage): string[] {
  const warnings: string[] = [];
  const alike = (rows: bigint, kind: string) =>
    `${rows} ${kind} ${rows === 1n ? "row is" : "rows are"} alike in every feature with a training row`;
  if (duplicateRows > 0n)
    warnings.push(`${alike(duplicateRows, "held-out")}; the held-out metrics may flatter the model.`);
  if (validationRows > 0n)
    warnings.push(`${alike(validationRows, "validation")}; what is chosen by them may remember rows.`);
  if (sharedGroups > 0n) warnings.push(`${sharedGroups} groups are in more than one part.`);
  return warnings;
}

type Duplicates = LeakageReport["duplicates"];

function sentences({ examples }: Duplicates): string[] {
  return examples.map(
    ({ row, part, firstRow, firstPart }) => `Row ${row + 1} (${part}) is like row ${firstRow + 1} (${firstPart}).`,
  );
}

function groupSentences({ groups }: LeakageReport, column: string): string[] {
  return (groups?.examples ?? []).map(({ group, parts }) => `The ${column} "${group}" is in ${parts.join(" and ")}.`);
}

function refused(duplicates: Duplicates): AimassError {
  const { contents } = duplicates;
  const message = `${contents} ${contents === 1 ? "row is" : "different rows are"} in more than one part. ${sentences(duplicates)[0] ?? ""}`;
  return new AimassError("FAILED_PRECONDITION", message, {
    reason: "LEAKAGE",
    field: "spec.data.duplicates",
    remedy: "Take --duplicates drop or keep (in a file: data.duplicates), or --split grouped:COLUMN.",
  });
}
