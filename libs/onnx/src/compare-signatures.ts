/** What is compared of a signature; the registry's message has this shape, and so does a probe's result. */
export interface ComparableSignature {
  readonly inputs: readonly ComparableTensor[];
  readonly outputs: readonly ComparableTensor[];
}

export interface ComparableTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly bigint[];
  readonly optional?: boolean;
}

export interface SignatureComparison {
  /** One difference a line, in words: "input x: FP32[-1,10] → FP32[-1,12]". */
  readonly differences: string[];
  /** True when a client of the left can call the right unchanged. */
  readonly compatible: boolean;
}

/**
 * Compares what two versions take and give. A client of the left can call the right when every input it may send is still taken, no
 * new input is required, and every output is still there, of its type and of a shape the left allowed.
 */
export function compareSignatures(left: ComparableSignature, right: ComparableSignature): SignatureComparison {
  const inputs = compareSide("input", left.inputs, right.inputs, (before, after) => {
    if (before === undefined) return after?.optional === true;
    return after !== undefined && accepts(after, before) && !(before.optional === true && after.optional !== true);
  });
  const outputs = compareSide("output", left.outputs, right.outputs, (before, after) => {
    return before === undefined || (after !== undefined && accepts(before, after));
  });
  return {
    differences: [...inputs.differences, ...outputs.differences],
    compatible: inputs.compatible && outputs.compatible,
  };
}

type Judge = (before: ComparableTensor | undefined, after: ComparableTensor | undefined) => boolean;

function compareSide(
  side: "input" | "output",
  left: readonly ComparableTensor[],
  right: readonly ComparableTensor[],
  judge: Judge,
): SignatureComparison {
  const names = new Set([...left, ...right].map((tensor) => tensor.name));
  const differences: string[] = [];
  let compatible = true;
  for (const name of names) {
    const before = left.find((tensor) => tensor.name === name);
    const after = right.find((tensor) => tensor.name === name);
    const [was, is] = [describe(before), describe(after)];
    if (was !== is) differences.push(`${side} ${name}: ${was} → ${is}`);
    if (!judge(before, after)) compatible = false;
  }
  return { differences, compatible };
}

/** Whether every tensor of the narrower spec fits the wider one. */
function accepts(wider: ComparableTensor, narrower: ComparableTensor): boolean {
  return (
    wider.datatype === narrower.datatype &&
    wider.shape.length === narrower.shape.length &&
    wider.shape.every((axis, index) => axis < 0n || axis === narrower.shape[index])
  );
}

function describe(tensor: ComparableTensor | undefined): string {
  if (tensor === undefined) return "none";
  return `${tensor.datatype}[${tensor.shape.join(",")}]${tensor.optional === true ? " optional" : ""}`;
}
