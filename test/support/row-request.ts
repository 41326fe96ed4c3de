import { encodeInferRequest } from "@aimass/oip";

/** A ModelInferRequest of one row x FP32[1, features], with the frame that gRPC puts around it or without. */
export function rowRequest(modelName: string, features: number, options = { framed: false }): Buffer {
  const bytes = Buffer.from(new Float32Array(features).fill(0.5).buffer);
  const input = { name: "x", datatype: "FP32", shape: [1, features], bytes, parameters: new Map() } as const;
  return encodeInferRequest(
    { modelName, modelVersion: "", id: "", parameters: new Map(), inputs: [input], outputs: [] },
    options,
  );
}
