import { encodeInferRequest } from "@aimass/oip";

/** A framed ModelInferRequest of one row x FP32[1, features]. */
export function framedRequest(model: string, features: number): Buffer {
  const bytes = Buffer.from(new Float32Array(features).fill(0.5).buffer);
  return encodeInferRequest(
    {
      modelName: model,
      modelVersion: "",
      id: "",
      parameters: new Map(),
      inputs: [{ name: "x", datatype: "FP32", shape: [1, features], bytes, parameters: new Map() }],
      outputs: [],
    },
    { framed: true },
  );
}
