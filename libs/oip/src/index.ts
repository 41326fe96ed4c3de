export {
  assertTextElements,
  bytesElements,
  bytesFromElements,
  countBytesElements,
  decodeUtf8,
  stringElements,
} from "./bytes-elements.ts";
export { type CellKind, type CellMeaning, Cells, cellsOf } from "./cell-meaning.ts";
export { classify } from "./classify.ts";
export { acceptedEncoding, compress, defaultInflateLimit, inflate, inflatePieces, inflateSync } from "./compression.ts";
export {
  type Datatype,
  datatypes,
  elementCount,
  elementSize,
  formatShape,
  isDatatype,
  parseDatatype,
  quoted,
} from "./datatype.ts";
export { decodeInferRequest } from "./decode-request.ts";
export { decodeInferResponse, decodeStreamInferResponse } from "./decode-response.ts";
export { decodeRestInfer, type RestHeaders, type RestInfer } from "./decode-rest.ts";
export {
  type EncodeOptions,
  encodeInferRequest,
  encodeInferResponse,
  encodeStreamInferResponse,
  inferResponsePieces,
  streamInferResponsePieces,
} from "./encode-message.ts";
export { type AnswerForm, encodePredict } from "./encode-predict.ts";
export { encodePredictCsv } from "./encode-predict-csv.ts";
export { encodeRestInfer, type RestAnswer, type RestAsked } from "./encode-rest.ts";
export { fitShape } from "./fit-shape.ts";
export { fromBf16, fromFp16, toBf16, toFp16 } from "./half.ts";
export { inferRequestFromJson } from "./infer-request-json.ts";
export {
  booleanParameter,
  integerParameter,
  noParameters,
  type Parameter,
  type Parameters,
  stringParameter,
} from "./parameters.ts";
export { type PeekedModel, peekModel, peekModelStart } from "./peek.ts";
export { decodePredict, type PredictCall } from "./predict.ts";
export { decodePredictCsv } from "./predict-csv.ts";
export { checkByteLength } from "./read-tensor.ts";
export { encodeRestError, httpStatus } from "./rest-errors.ts";
export type { SignatureView, TensorSpecView } from "./signature.ts";
export {
  alignedView,
  bytesOf,
  type ElementArray,
  elementsOf,
  type FixedDatatype,
  type InferRequest,
  type InferResponse,
  type RequestedOutput,
  type Tensor,
} from "./tensor.ts";
