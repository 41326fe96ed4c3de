import { ModelInferRequest_InferInputTensorSchema, ModelInferRequestSchema } from "@aimass/api/inference";
import { AimassError } from "@aimass/core";
import { fromJsonString, toBinary } from "@bufbuild/protobuf";
import { Cells } from "./cell-meaning.ts";
import { defaultInflateLimit } from "./compression.ts";
import type { Datatype } from "./datatype.ts";
import { openObject } from "./decode-rest.ts";
import { ByteBudget } from "./element-sink.ts";
import { mostFields } from "./field-limit.ts";
import type { JsonReader } from "./json-reader.ts";
import { numberSink } from "./number-sinks.ts";
import { elementsOf, type FixedDatatype } from "./tensor.ts";
import { WireWriter } from "./wire-writer.ts";

/** What a request says beside its elements: a tree of more would take many times its bytes. */
const mostDescription = 1024 * 1024;

/** Lists of InferTensorContents in protobuf's JSON: their field, and what their elements are. */
const lists: Readonly<Record<string, readonly [field: number, datatype: Datatype]>> = {
  boolContents: [1, "BOOL"],
  intContents: [2, "INT32"],
  int64Contents: [3, "INT64"],
  uintContents: [4, "UINT32"],
  uint64Contents: [5, "UINT64"],
  fp32Contents: [6, "FP32"],
  fp64Contents: [7, "FP64"],
  bytesContents: [8, "BYTES"],
};
const listNames = new Map(
  Object.entries(lists).flatMap(([name, list]) => [[name, list] as const, [snakeCase(name), list] as const]),
);

const lengthDelimited = 2;
const inputsField = 5;
const contentsField = 5;
const rawField = 7;

/** Protobuf's JSON may write numbers as strings. */
const numbers = new Cells({ kind: "number", missing: [], trueWords: [], falseWords: [] });

/**
 * A ModelInferRequest in protobuf's JSON as its binary message. Elements are read one by one from the bytes; only what stands beside them becomes a tree.
 * Throws INVALID_ARGUMENT for what is none, RESOURCE_EXHAUSTED for elements of more than `tensorLimit` bytes.
 */
export function inferRequestFromJson(body: Uint8Array, tensorLimit = defaultInflateLimit): Uint8Array {
  try {
    const reader = openObject(body);
    const parts = new RequestParts(reader, new ByteBudget(tensorLimit));
    parts.read();
    reader.finish();
    return parts.message();
  } catch (error) {
    if (!(error instanceof AimassError) || error.reason !== "MALFORMED_JSON") throw error;
    throw notJson(error.message.replace(/^[^:]*: |\.$/g, ""), error);
  }
}

/** A request, parted into what describes it and its elements. */
class RequestParts {
  readonly #reader: JsonReader;
  readonly #budget: ByteBudget;
  readonly #fields: string[] = [];
  readonly #inputs: { readonly text: string; readonly contents: Uint8Array | undefined }[] = [];
  readonly #raw: Buffer[] = [];
  #left = mostDescription;

  constructor(reader: JsonReader, budget: ByteBudget) {
    this.#reader = reader;
    this.#budget = budget;
  }

  read(): void {
    this.#eachField((name, text) => {
      if (name === "inputs") this.#eachPart(() => this.#inputs.push(this.#readInput()));
      else if (name === "rawInputContents" || name === "raw_input_contents") {
        this.#eachPart(() => this.#raw.push(this.#readBase64()));
      } else this.#fields.push(text());
    });
  }

  message(): Uint8Array {
    const head = parse(() => {
      const message = fromJsonString(ModelInferRequestSchema, `{${this.#fields.join(",")}}`, {
        ignoreUnknownFields: true,
      });
      return toBinary(ModelInferRequestSchema, message);
    });
    const elements = [...this.#inputs.map(({ contents }) => contents), ...this.#raw];
    const size = elements.reduce((sum, bytes) => sum + (bytes?.length ?? 0), 0);
    const out = new WireWriter(head.length + size + 1024);
    out.raw(head);
    for (const { text, contents } of this.#inputs) {
      const described = parse(() => {
        const input = fromJsonString(ModelInferRequest_InferInputTensorSchema, text, { ignoreUnknownFields: true });
        return toBinary(ModelInferRequest_InferInputTensorSchema, input);
      });
      const start = out.begin(tagOf(inputsField));
      out.raw(described);
      if (contents !== undefined) out.bytesField(tagOf(contentsField), contents);
      out.finish(start);
    }
    for (const bytes of this.#raw) out.bytesField(tagOf(rawField), bytes);
    return out.done();
  }

  #readInput(): { text: string; contents: Uint8Array | undefined } {
    const fields: string[] = [];
    let contents: Uint8Array | undefined;
    if (this.#reader.kind() !== "object") throw notJson(`inputs has a ${this.#reader.kind()} instead of an object`);
    this.#eachField((name, text) => {
      if (name === "contents" && this.#reader.kind() === "object") contents = this.#readContents();
      else fields.push(text());
    });
    this.#describe(2);
    return { text: `{${fields.join(",")}}`, contents };
  }

  #readContents(): Uint8Array {
    const out = new WireWriter(64);
    this.#eachField((name) => {
      const list = listNames.get(name);
      if (list === undefined || this.#reader.kind() === "null") this.#reader.skip();
      else if (list[1] === "BYTES") this.#eachEntry(() => out.bytesField(tagOf(list[0]), this.#readBase64()));
      else this.#readNumbers(out, list[0], list[1], name);
    });
    return out.done();
  }

  #readNumbers(out: WireWriter, field: number, datatype: FixedDatatype, name: string): void {
    const place = (index: number) => ({ subject: `Element ${index} of ${name}`, field: name });
    const sink = numberSink(datatype, { place, budget: this.#budget, capacity: 16, cells: numbers });
    this.#eachEntry(() => sink.put(this.#reader));
    const bytes = sink.finish();
    if (datatype === "FP32" || datatype === "FP64" || datatype === "BOOL") {
      out.bytesField(tagOf(field), bytes);
      return;
    }
    const start = out.begin(tagOf(field));
    for (const element of elementsOf(datatype, bytes)) {
      if (typeof element === "bigint" || element < 0) out.bigVarint(BigInt(element));
      else out.varint(element);
    }
    out.finish(start);
  }

  #readBase64(): Buffer {
    if (this.#reader.kind() !== "string")
      throw notJson(`bytes are a ${this.#reader.kind()} instead of a string in base64`);
    const { start, end } = this.#reader.rawString();
    const text = this.#reader.ascii(start, end);
    if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw notJson("bytes are no base64");
    const bytes = Buffer.from(text, "base64");
    this.#budget.take(bytes.length + 8);
    return bytes;
  }

  /** Visits the fields of the next object; what a visit does not read is gone past. null is absent. */
  #eachField(visit: (name: string, text: () => string) => void): void {
    const reader = this.#reader;
    reader.enter("object");
    for (let isFirst = true; reader.more("object", isFirst); isFirst = false) {
      const key = reader.key();
      const name = key.end - key.start < 64 ? reader.text(key) : "";
      visit(name, () => {
        const { end } = reader.skip();
        this.#describe(end - key.start);
        return reader.source({ start: key.start - 1, end });
      });
    }
  }

  /** Visits entries that stay objects until the message is written: no more than a message may have fields. */
  #eachPart(visit: () => void): void {
    this.#eachEntry(() => {
      if (this.#inputs.length + this.#raw.length === mostFields) throw notJson(`it has more than ${mostFields} fields`);
      visit();
    });
  }

  #eachEntry(visit: () => void): void {
    const reader = this.#reader;
    if (reader.kind() === "null") {
      reader.null();
      return;
    }
    if (reader.kind() !== "list") throw notJson(`a ${reader.kind()} stands where a list is expected`);
    reader.enter("list");
    for (let isFirst = true; reader.more("list", isFirst); isFirst = false) visit();
  }

  #describe(bytes: number): void {
    this.#left -= bytes;
    if (this.#left >= 0) return;
    throw new AimassError(
      "RESOURCE_EXHAUSTED",
      `A request in JSON may have ${mostDescription} bytes beside its elements.`,
      {
        reason: "BODY_TOO_LARGE",
        remedy: "Send it in binary (`useBinaryFormat: true` in Connect's transports), by gRPC, or by REST.",
      },
    );
  }
}

function parse<T>(make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw notJson((cause as Error).message, cause);
  }
}

function notJson(what: string, cause?: unknown): AimassError {
  return new AimassError("INVALID_ARGUMENT", `The body is no ModelInferRequest in JSON: ${what}.`, {
    reason: "BAD_JSON",
    cause,
  });
}

function tagOf(field: number): number {
  return field * 8 + lengthDelimited;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
