import {
  ModelInferRequestSchema,
  ModelInferResponseSchema,
  ModelStreamInferResponseSchema,
} from "@aimass/api/inference";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesFromElements } from "./bytes-elements.ts";
import {
  type Datatype,
  datatypes,
  decodeInferRequest,
  decodeInferResponse,
  decodeStreamInferResponse,
  elementSize,
  encodeInferRequest,
  encodeInferResponse,
  encodeStreamInferResponse,
  type InferRequest,
  inferResponsePieces,
  noParameters,
  type Parameter,
  streamInferResponsePieces,
  type Tensor,
} from "./index.ts";

const parameter: fc.Arbitrary<Parameter> = fc.oneof(
  fc.boolean().map((value): Parameter => ({ kind: "bool", value })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value): Parameter => ({ kind: "int64", value })),
  fc.string({ unit: "binary" }).map((value): Parameter => ({ kind: "string", value })),
  fc.double({ noNaN: true }).map((value): Parameter => ({ kind: "double", value })),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value): Parameter => ({ kind: "uint64", value })),
);
const parameters = fc
  .array(fc.tuple(fc.string({ unit: "binary" }), parameter), { maxLength: 3 })
  .map((list) => new Map(list));
const shape = fc.array(fc.nat({ max: 3 }), { maxLength: 4 });

function tensor(name: string): fc.Arbitrary<Tensor> {
  return fc.tuple(fc.constantFrom(...datatypes), shape, parameters).chain(([datatype, axes, extra]) => {
    const count = axes.reduce((product, axis) => product * axis, 1);
    const bytes =
      datatype === "BYTES"
        ? fc.array(fc.uint8Array({ maxLength: 200 }), { minLength: count, maxLength: count }).map(bytesFromElements)
        : fc.uint8Array({ minLength: count * elementSize(datatype), maxLength: count * elementSize(datatype) });
    return bytes.map(
      (data): Tensor => ({ name, datatype, shape: axes, bytes: new Uint8Array(data), parameters: extra }),
    );
  });
}

const tensors = fc
  .uniqueArray(fc.string({ unit: "binary" }), { maxLength: 4 })
  .chain((names) => fc.tuple(...names.map(tensor)) as fc.Arbitrary<Tensor[]>);
const text = fc.string({ unit: "binary", maxLength: 200 });

const request: fc.Arbitrary<InferRequest> = fc.record({
  modelName: text,
  modelVersion: text,
  id: text,
  parameters,
  inputs: tensors,
  outputs: fc.uniqueArray(text, { maxLength: 3 }).map((names) => names.map((name) => ({ name }))),
});

function plain(tensor: Tensor) {
  return { ...tensor, bytes: Buffer.from(tensor.bytes), parameters: new Map(tensor.parameters) };
}

describe("messages against protobuf's own code", () => {
  it("encodes requests that protobuf reads and decodes what protobuf writes", () => {
    fc.assert(
      fc.property(request, (original) => {
        const read = fromBinary(ModelInferRequestSchema, encodeInferRequest(original));
        expect(read.modelName).toBe(original.modelName);
        expect(read.inputs.map((input) => input.shape.map(Number))).toEqual(
          original.inputs.map((input) => input.shape),
        );
        const decoded = decodeInferRequest(toBinary(ModelInferRequestSchema, read));
        expect(decoded.inputs.map(plain)).toEqual(original.inputs.map(plain));
        expect({ ...decoded, inputs: [], parameters: new Map(decoded.parameters) }).toEqual({
          ...original,
          inputs: [],
        });
      }),
    );
  });

  it("encodes answers that protobuf reads, framed or not, and decodes them", () => {
    fc.assert(
      fc.property(request, fc.boolean(), (shape, framed) => {
        const response = { ...shape, outputs: shape.inputs };
        const encoded = encodeInferResponse(response, { framed });
        if (framed) expect(encoded.readUInt32BE(1)).toBe(encoded.length - 5);
        const read = fromBinary(ModelInferResponseSchema, framed ? encoded.subarray(5) : encoded);
        expect(read.rawOutputContents.map((bytes) => Buffer.from(bytes))).toEqual(
          response.outputs.map((output) => Buffer.from(output.bytes)),
        );
        const decoded = decodeInferResponse(toBinary(ModelInferResponseSchema, read));
        expect(decoded.outputs.map(plain)).toEqual(response.outputs.map(plain));
        expect(decoded.id).toBe(response.id);
      }),
    );
  });

  it("encodes large outputs without copying them, whatever stands between them", () => {
    const sizes = fc.array(fc.constantFrom(0, 5, 65_535, 65_536, 200_000), { maxLength: 5 });
    fc.assert(
      fc.property(sizes, fc.boolean(), (all, framed) => {
        const outputs = all.map((size, i): Tensor => {
          return { name: `y${i}`, datatype: "UINT8", shape: [size], bytes: new Uint8Array(size).fill(i + 1) };
        });
        const response = { modelName: "m", modelVersion: "1", id: "7", outputs };
        for (const isStream of [false, true]) {
          const pieces = (isStream ? streamInferResponsePieces : inferResponsePieces)(response, { framed });
          const whole = Buffer.concat(pieces);
          if (framed) expect(whole.readUInt32BE(1)).toBe(whole.length - 5);
          const message = framed ? whole.subarray(5) : whole;
          const read = isStream ? decodeStreamInferResponse(message).response : decodeInferResponse(message);
          expect(read?.outputs.map(plain)).toEqual(outputs.map(plain));
          for (const { bytes } of outputs)
            expect(pieces.includes(bytes), `${bytes.length} bytes`).toBe(bytes.length >= 65_536);
        }
      }),
      { numRuns: 50 },
    );
  });

  it("encodes stream answers and stream errors", () => {
    const output: Tensor = { name: "y", datatype: "INT8", shape: [2], bytes: new Uint8Array([1, 2]) };
    const encoded = encodeStreamInferResponse({ modelName: "m", modelVersion: "1", id: "7", outputs: [output] });
    expect(fromBinary(ModelStreamInferResponseSchema, encoded).inferResponse?.id).toBe("7");
    expect(decodeStreamInferResponse(encoded).response?.outputs[0]?.shape).toEqual([2]);
    const failed = fromBinary(
      ModelStreamInferResponseSchema,
      encodeStreamInferResponse({ errorMessage: "no such model" }),
    );
    expect(failed.errorMessage).toBe("no such model");
    expect(failed.inferResponse).toBeUndefined();
  });
});

/** What each list of InferTensorContents accepts, and the raw bytes it stands for. */
const typed: Record<Exclude<Datatype, "FP16" | "BF16">, fc.Arbitrary<{ contents: object; raw: Uint8Array }>> = {
  BOOL: fc
    .array(fc.boolean())
    .map((list) => ({ contents: { boolContents: list }, raw: Uint8Array.from(list, Number) })),
  INT8: ints(Int8Array, -128, 127, "intContents"),
  INT16: ints(Int16Array, -32768, 32767, "intContents"),
  INT32: ints(Int32Array, -(2 ** 31), 2 ** 31 - 1, "intContents"),
  UINT8: ints(Uint8Array, 0, 255, "uintContents"),
  UINT16: ints(Uint16Array, 0, 65535, "uintContents"),
  UINT32: ints(Uint32Array, 0, 2 ** 32 - 1, "uintContents"),
  INT64: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })).map((list) => ({
    contents: { int64Contents: list },
    raw: new Uint8Array(BigInt64Array.from(list).buffer),
  })),
  UINT64: fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })).map((list) => ({
    contents: { uint64Contents: list },
    raw: new Uint8Array(BigUint64Array.from(list).buffer),
  })),
  FP32: fc
    .array(fc.float())
    .map((list) => ({ contents: { fp32Contents: list }, raw: new Uint8Array(Float32Array.from(list).buffer) })),
  FP64: fc
    .array(fc.double())
    .map((list) => ({ contents: { fp64Contents: list }, raw: new Uint8Array(Float64Array.from(list).buffer) })),
  BYTES: fc.array(fc.uint8Array()).map((list) => ({ contents: { bytesContents: list }, raw: bytesFromElements(list) })),
};

function ints(
  array:
    | Int8ArrayConstructor
    | Int16ArrayConstructor
    | Int32ArrayConstructor
    | Uint8ArrayConstructor
    | Uint16ArrayConstructor
    | Uint32ArrayConstructor,
  min: number,
  max: number,
  list: string,
) {
  return fc
    .array(fc.integer({ min, max }))
    .map((values) => ({ contents: { [list]: values }, raw: new Uint8Array(array.from(values).buffer) }));
}

describe("typed contents", () => {
  for (const [datatype, arbitrary] of Object.entries(typed)) {
    it(`of ${datatype} become the same bytes raw contents have`, () => {
      fc.assert(
        fc.property(arbitrary, ({ contents, raw }) => {
          const count = Object.values(contents)[0].length as number;
          const input = { name: "x", datatype, shape: [BigInt(count)], contents };
          const body = toBinary(
            ModelInferRequestSchema,
            create(ModelInferRequestSchema, { modelName: "m", inputs: [input] }),
          );
          expect(Buffer.from(decodeInferRequest(body).inputs[0]?.bytes ?? [])).toEqual(Buffer.from(raw));
        }),
      );
    });
  }

  it("of BOOL written with long numbers become single bytes", () => {
    // inputs{ name "x", datatype "BOOL", shape [2], contents{ bool_contents packed: 2 as a number of two bytes, 0 } }
    const contents = [0x0a, 3, 0x82, 0x00, 0x00];
    const input = [0x0a, 1, 0x78, 0x12, 4, ...Buffer.from("BOOL"), 0x1a, 1, 2, 0x2a, contents.length, ...contents];
    const body = Uint8Array.from([0x2a, input.length, ...input]);
    expect([...(decodeInferRequest(body).inputs[0]?.bytes ?? [])]).toEqual([1, 0]);
  });
});

describe("tensor bytes", () => {
  it("are views into the body, never copies", () => {
    const bytes = new Uint8Array(4096);
    const inputs: Tensor[] = [{ name: "x", datatype: "FP32", shape: [1024], bytes }];
    const body = encodeInferRequest({
      modelName: "m",
      modelVersion: "",
      id: "",
      parameters: noParameters,
      inputs,
      outputs: [],
    });
    expect(decodeInferRequest(body).inputs[0]?.bytes.buffer).toBe(body.buffer);
  });
});
