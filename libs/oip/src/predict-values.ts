import { AimassError } from "@aimass/core";
import { Cells } from "./cell-meaning.ts";
import { formatShape, parseDatatype, quoted } from "./datatype.ts";
import { fitShape } from "./fit-shape.ts";
import { mismatch } from "./predict-columns.ts";
import type { Means } from "./predict-means.ts";
import { inTensor, readNested, sinkFor } from "./read-values.ts";
import type { SignatureView, TensorSpecView } from "./signature.ts";
import type { Tensor } from "./tensor.ts";

/** The value of one input, with the axes that may be left out. */
export function readValues(means: Means, spec: TensorSpecView): Tensor {
  return readFitting(means, spec, fitShape, "or leave axis 0 out for one sample");
}

/** A list of rows of one input: axis 0 is always there. */
export function readValueRows(means: Means, spec: TensorSpecView): Tensor {
  return readFitting(means, spec, fitRows, "one entry of the list for each row");
}

/** How the elements of an input are taken in. */
export function sinkOptionsOf(spec: TensorSpecView) {
  const datatype = parseDatatype(spec.datatype, spec.name);
  return {
    place: inTensor({ name: spec.name, datatype }),
    cells: spec.cells === undefined ? ("any" as const) : new Cells(spec.cells),
  };
}

/** The input that values without a name are for. Throws INVALID_ARGUMENT when there are several. */
export function onlyInput(signature: SignatureView): TensorSpecView {
  const required = signature.inputs.filter((input) => input.optional !== true);
  const candidates = required.length > 0 ? required : signature.inputs;
  const [only] = candidates;
  if (candidates.length === 1 && only !== undefined) return only;
  throw mismatch(signature, `has ${signature.inputs.length} inputs, to be given as an object by name`);
}

function readFitting(
  { reader, budget }: Means,
  spec: TensorSpecView,
  fit: (given: readonly number[], declared: readonly number[]) => number[] | undefined,
  hint: string,
): Tensor {
  const datatype = parseDatatype(spec.datatype, spec.name);
  const sink = sinkFor(datatype, { ...sinkOptionsOf(spec), budget, capacity: 16 });
  const given = readNested(reader, sink, `Input ${quoted(spec.name)}`);
  const declared = spec.shape.map(Number);
  const shape = fit(given, declared);
  if (shape !== undefined) return { name: spec.name, datatype, shape, bytes: sink.finish() };
  const message = `Input ${quoted(spec.name)} of ${spec.datatype}${formatShape(declared)} was given data of ${given.length} axes.`;
  throw new AimassError("INVALID_ARGUMENT", message, {
    reason: "BAD_SHAPE",
    field: spec.name,
    remedy: `Nest the values as the shape says (-1 is any length), ${hint}.`,
  });
}

/** As `fitShape` for each row. An input without axes takes one row. */
function fitRows([rows, ...inner]: readonly number[], declared: readonly number[]): number[] | undefined {
  if (rows === undefined) return undefined;
  if (declared.length === 0) return rows === 1 && inner.length === 0 ? [] : undefined;
  const row = fitShape(inner, declared.slice(1));
  return row === undefined ? undefined : [rows, ...row];
}
