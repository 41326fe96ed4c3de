import { noParameters, type Parameter, type Parameters } from "./parameters.ts";
import { type WireReader, wire } from "./wire-reader.ts";

/** Parameters a request, or one of its tensors, may have. */
export const mostParameters = 4096;

/** Collects the entries of a `map<string, InferParameter>` field as they come; the last of a name wins. */
export class ParameterCollector {
  private entries: Map<string, Parameter> | undefined;

  /** Reads one entry at the reader's place. Throws INVALID_ARGUMENT for one too many. */
  read(reader: WireReader): void {
    if ((this.entries?.size ?? 0) >= mostParameters) throw reader.malformed(`more than ${mostParameters} parameters`);
    const outer = reader.enter();
    let name = "";
    let value: Parameter | undefined;
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === 10) name = reader.name();
      else if (tag === 18) value = readParameter(reader) ?? value;
      else reader.skip(tag);
    }
    reader.leave(outer);
    this.entries ??= new Map();
    if (value === undefined) this.entries.delete(name);
    else this.entries.set(name, value);
  }

  get parameters(): Parameters {
    return this.entries ?? noParameters;
  }
}

function readParameter(reader: WireReader): Parameter | undefined {
  const outer = reader.enter();
  let parameter: Parameter | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        parameter = { kind: "bool", value: reader.boolean() };
        break;
      case 16:
        parameter = { kind: "int64", value: reader.int64() };
        break;
      case 26:
        parameter = { kind: "string", value: reader.text() };
        break;
      case 33:
        parameter = { kind: "double", value: reader.double() };
        break;
      case 40:
        parameter = { kind: "uint64", value: reader.uint64() };
        break;
      default:
        reader.skip(tag);
    }
  }
  reader.leave(outer);
  return parameter;
}

/** Throws unless the tag is that of a length-delimited field; `field` names it in the error. */
export function expectLength(reader: WireReader, tag: number, field: string): void {
  reader.expect(tag, wire.length, field);
}
