import { type DescField, type DescMessage, type MessageShape, ScalarType } from "@bufbuild/protobuf";

/**
 * A message as REST clients of the protocol expect it: proto field names, every field present, 64-bit whole numbers as JSON numbers, enum values by name. (Protobuf's
 * own JSON writes 64-bit numbers as strings, which perf_analyzer refuses.)
 */
export function plainJson<D extends DescMessage>(schema: D, message: MessageShape<D>): Record<string, unknown> {
  const values = message as unknown as Record<string, unknown>;
  const json: Record<string, unknown> = {};
  for (const field of schema.fields) {
    const value =
      field.oneof === undefined ? values[field.localName] : oneofValue(values[field.oneof.localName], field);
    if (value !== undefined) json[field.name] = fieldJson(field, value);
  }
  return json;
}

function oneofValue(group: unknown, field: DescField): unknown {
  const chosen = group as { case?: string; value?: unknown } | undefined;
  return chosen?.case === field.localName ? chosen.value : undefined;
}

function fieldJson(field: DescField, value: unknown): unknown {
  switch (field.fieldKind) {
    case "list":
      return (value as unknown[]).map((item) => singleJson(field, item));
    case "map":
      return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, singleJson(field, item)]));
    default:
      return singleJson(field, value);
  }
}

function singleJson(field: DescField, value: unknown): unknown {
  if (field.message !== undefined) return plainJson(field.message, value as MessageShape<typeof field.message>);
  if (field.enum !== undefined) return field.enum.value[value as number]?.name ?? value;
  if (typeof value === "bigint") return Number(value);
  return field.scalar === ScalarType.BYTES ? Buffer.from(value as Uint8Array).toString("base64") : value;
}
