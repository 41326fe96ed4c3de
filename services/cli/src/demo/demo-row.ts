/** One row of numbers by the names of its columns. */
export type DemoRow = Readonly<Record<string, number>>;

/** A row as tensors of the Open Inference Protocol: one FP32 [1] for each column. */
export function rawInputs(row: DemoRow) {
  return {
    inputs: Object.keys(row).map((name) => ({ name, datatype: "FP32", shape: [1n] })),
    rawInputContents: Object.values(row).map((value) => new Uint8Array(Float32Array.of(value).buffer)),
  };
}
