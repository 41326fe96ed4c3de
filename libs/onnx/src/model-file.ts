import { type ModelProto, ModelProtoSchema } from "@aimass/api/onnx";
import { AimassError } from "@aimass/core";
import { fromBinary, toBinary } from "@bufbuild/protobuf";

/** The graph's file name in a bundle. */
export const graphFileName = "model.onnx";

/** ONNX Runtime's own format carries this mark at byte 4; it is not checked as ONNX is, so it is refused. */
const ortFormatMark = "ORTM";

/**
 * Parses an ONNX file. Tensor bytes are views into `bytes`. Throws INVALID_ARGUMENT when it is not ONNX: no protobuf, no graph, or no
 * operator set. What the graph does is not looked at.
 */
export function readModel(bytes: Uint8Array): ModelProto {
  if (
    Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(8, bytes.byteLength)).toString("latin1", 4) === ortFormatMark
  ) {
    throw notOnnx("it is in ONNX Runtime's own format");
  }
  const model = parse(bytes);
  if (model.graph === undefined) throw notOnnx("it has no graph");
  if (model.irVersion <= 0n) throw notOnnx("it has no IR version");
  if (model.opsetImport.length === 0) throw notOnnx("it names no operator set");
  return model;
}

/** The bytes of an ONNX file. */
export function writeModel(model: ModelProto): Uint8Array {
  return toBinary(ModelProtoSchema, model);
}

function parse(bytes: Uint8Array): ModelProto {
  try {
    return fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw notOnnx(bytes.byteLength === 0 ? "it is empty" : "it cannot be parsed", error);
  }
}

function notOnnx(why: string, cause?: unknown): AimassError {
  return new AimassError("INVALID_ARGUMENT", `The file is not an ONNX model: ${why}.`, {
    reason: "NOT_ONNX",
    field: graphFileName,
    remedy: "Export the model as ONNX, for instance with torch.onnx.export, and push that file.",
    cause,
  });
}
