import { AimassError } from "@aimass/core";
import type { RestMetadata, RowsAnswer } from "../client/rest-inference.ts";

/** The columns that an output becomes. Plain JSON. */
export interface OutputColumns {
  readonly output: string;
  /** As `/predict` names them in CSV: the output's own name for one element a row, else `probabilities_no` or `y_0`. */
  readonly names: readonly string[];
}

/** The columns that a model's answers become, in the order of its outputs. */
export class PredictionColumns {
  readonly outputs: readonly OutputColumns[];

  constructor(outputs: readonly OutputColumns[]) {
    this.outputs = outputs;
  }

  /** As the first answer shows them. `taken`: names of the other columns; a prediction of such a name is called predicted_NAME. */
  static of(
    entry: unknown,
    { classes = {} }: Pick<RowsAnswer, "classes">,
    { outputs }: Pick<RestMetadata, "outputs">,
    taken: readonly string[],
  ): PredictionColumns {
    const used = new Set(taken);
    return new PredictionColumns(
      outputs.map(({ name }) => {
        const width = elementsOf(entryOf(entry, name, outputs.length)).length;
        const labels = classes[name] ?? [];
        const wanted = Array.from({ length: width }, (_, place) =>
          width === 1 ? name : `${name}_${labels.length === width ? labels[place] : place}`,
        );
        return { output: name, names: wanted.map((one) => freeName(one, used)) };
      }),
    );
  }

  get names(): readonly string[] {
    return this.outputs.flatMap(({ names }) => names);
  }

  /** The values of a row's answer, one a column. Errors: FAILED_PRECONDITION when it has more or fewer than the first. */
  values(entry: unknown): readonly unknown[] {
    return this.outputs.flatMap(({ output, names }) => {
      const elements = elementsOf(entryOf(entry, output, this.outputs.length));
      if (elements.length === names.length) return elements;
      const message = `The output ${output} has ${elements.length} values for one row, and ${names.length} for rows before it.`;
      throw new AimassError("FAILED_PRECONDITION", message, {
        remedy:
          "A table needs equally many: name one version as MODEL:VERSION, or call the model row by row with --input.",
      });
    });
  }
}

function freeName(wanted: string, used: Set<string>): string {
  let name = wanted;
  for (let count = 1; used.has(name); count++) name = `predicted_${wanted}${count === 1 ? "" : `_${count}`}`;
  used.add(name);
  return name;
}

/** Of one output the entry is the value itself. */
function entryOf(entry: unknown, output: string, outputs: number): unknown {
  if (outputs === 1) return entry;
  return typeof entry === "object" && entry !== null ? (entry as Record<string, unknown>)[output] : undefined;
}

function elementsOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value.flat(Number.POSITIVE_INFINITY) : [value];
}
