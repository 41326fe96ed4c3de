import { FieldLimit } from "./field-limit.ts";
import { WireReader } from "./wire-reader.ts";

/** What a router needs to know of a request it forwards unread. */
export interface PeekedModel {
  readonly name: string;
  readonly version: string;
  /** Whether a `sequence_*` parameter is set, so that the call must not be sent twice. True also when there are too many to look at. */
  readonly hasSequence: boolean;
}

const sequencePrefix = Buffer.from("sequence_");

/** Parameters looked at; a request with more is taken for a sequence. */
const maxParameters = 64;

/**
 * Reads model name and version of an encoded ModelInferRequest that begins at `offset`, wherever the fields stand; a repeated field's
 * last value wins, as protobuf says. Touches a few bytes per field, never tensor data. Throws INVALID_ARGUMENT for a malformed message.
 */
export function peekModel(body: Uint8Array, offset = 0): PeekedModel {
  const reader = new WireReader(body, offset, "ModelInferRequest");
  let name = "";
  let version = "";
  let hasSequence = false;
  let parameters = 0;
  const limit = new FieldLimit(reader);
  while (!reader.done) {
    const tag = limit.next();
    if (tag === 10) name = reader.name();
    else if (tag === 18) version = reader.name();
    else if (tag === 34 && ++parameters <= maxParameters) hasSequence = isSequence(reader) || hasSequence;
    else reader.skip(tag);
  }
  return { name, version, hasSequence: hasSequence || parameters > maxParameters };
}

/**
 * Model name and version as far as the beginning of an encoded ModelInferRequest tells them, for an early refusal: what follows may say otherwise.
 * Undefined when the name is not among it.
 */
export function peekModelStart(start: Uint8Array, offset = 0): Pick<PeekedModel, "name" | "version"> | undefined {
  const reader = new WireReader(start, offset, "ModelInferRequest");
  let name: string | undefined;
  let version = "";
  try {
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === 10) name = reader.name();
      else if (tag === 18) version = reader.name();
      else reader.skip(tag);
    }
  } catch {
    // The start ends within a field.
  }
  return name === undefined ? undefined : { name, version };
}

function isSequence(reader: WireReader): boolean {
  const outer = reader.enter();
  const end = reader.end;
  let found = false;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag !== 10) {
      reader.skip(tag);
      continue;
    }
    const key = reader.view();
    found = key.length > sequencePrefix.length && key.compare(sequencePrefix, 0, 9, 0, 9) === 0;
  }
  reader.at = end;
  reader.leave(outer);
  return found;
}
