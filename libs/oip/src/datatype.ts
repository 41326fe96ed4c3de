import { AimassError } from "@aimass/core";

/** Bytes per element of every data type the protocol names; 0 for BYTES, whose elements carry their own length. */
const sizes = {
  BOOL: 1,
  UINT8: 1,
  UINT16: 2,
  UINT32: 4,
  UINT64: 8,
  INT8: 1,
  INT16: 2,
  INT32: 4,
  INT64: 8,
  FP16: 2,
  FP32: 4,
  FP64: 8,
  BYTES: 0,
  BF16: 2,
} as const;

/** A data type of the Open Inference Protocol, with Triton's BF16. */
export type Datatype = keyof typeof sizes;

/** Every data type, in the protocol's order. */
export const datatypes = Object.keys(sizes) as readonly Datatype[];

const sizeByName: ReadonlyMap<string, number> = new Map(Object.entries(sizes));

/** Largest number of axes a tensor may have. */
export const maxRank = 64;

export function isDatatype(name: string): name is Datatype {
  return sizeByName.has(name);
}

/** Bytes one element takes; 0 for BYTES. */
export function elementSize(datatype: Datatype): number {
  return sizes[datatype];
}

/** The datatype of that name. Throws INVALID_ARGUMENT naming the tensor when there is none. */
export function parseDatatype(name: string, tensor: string): Datatype {
  if (sizeByName.has(name)) return name as Datatype;
  const given = name === "" ? "no datatype" : `the unknown datatype ${JSON.stringify(name.slice(0, 64))}`;
  throw new AimassError("INVALID_ARGUMENT", `Tensor ${quoted(tensor)} has ${given}.`, {
    reason: "UNKNOWN_DATATYPE",
    field: `${tensor}.datatype`,
    remedy: `Use one of ${datatypes.join(", ")}.`,
  });
}

/**
 * Number of elements of a shape: 1 for rank 0, 0 when any axis is 0.
 * Throws INVALID_ARGUMENT for a negative or fractional axis, too many axes, or a product beyond 2^53 − 1.
 */
export function elementCount(shape: readonly number[], tensor: string): number {
  if (shape.length > maxRank) {
    throw badShape(tensor, `has ${shape.length} axes`, `At most ${maxRank} axes are possible.`);
  }
  let count = 1;
  let empty = false;
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis] as number;
    if (!(Number.isSafeInteger(size) && size >= 0)) {
      throw badShape(tensor, `has shape ${formatShape(shape)}`, "Every axis is a whole number, 0 or more.");
    }
    if (size === 0) empty = true;
    count *= size;
  }
  if (empty) return 0;
  if (count > Number.MAX_SAFE_INTEGER / 8) {
    throw badShape(tensor, `has shape ${formatShape(shape)}`, "Its elements are too many to count.");
  }
  return count;
}

/** "[1,3,224,224]". */
export function formatShape(shape: readonly (number | bigint)[]): string {
  return `[${shape.join(",")}]`;
}

/** A name as it stands in an error: quoted, cut to a sane length. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 77)}…` : name);
}

function badShape(tensor: string, given: string, remedy: string): AimassError {
  return new AimassError("INVALID_ARGUMENT", `Tensor ${quoted(tensor)} ${given}.`, {
    reason: "BAD_SHAPE",
    field: `${tensor}.shape`,
    remedy,
  });
}
