import { type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";

/** 64-bit fields that REST clients of the protocol expect as JSON numbers; protobuf's JSON has them as strings. */
const numberFields = new Set([
  "shape",
  "dims",
  "count",
  "ns",
  "last_inference",
  "inference_count",
  "execution_count",
  "batch_size",
  "byte_size",
  "id",
  "max_queue_delay_microseconds",
]);

/** A message in the protocol's REST JSON: proto field names, every field present, whole numbers as numbers. */
export function plainJson<D extends DescMessage>(schema: D, message: MessageShape<D>): unknown {
  return withNumbers(toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true }), "");
}

function withNumbers(value: unknown, field: string): unknown {
  if (Array.isArray(value)) return value.map((item) => withNumbers(item, field));
  if (typeof value === "string") return numberFields.has(field) && /^-?\d+$/.test(value) ? Number(value) : value;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withNumbers(item, name)]));
}
