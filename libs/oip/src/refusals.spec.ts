import { ModelInferRequestSchema } from "@aimass/api/inference";
import { AimassError } from "@aimass/core";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeInferRequest,
  decodeInferResponse,
  decodePredict,
  decodeRestInfer,
  decodeStreamInferResponse,
  peekModel,
} from "./index.ts";

type Init = MessageInitShape<typeof ModelInferRequestSchema>;

function encode(init: Init): Uint8Array {
  return toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, { modelName: "m", ...init }));
}

function refusal(action: () => unknown): AimassError {
  try {
    action();
  } catch (error) {
    if (error instanceof AimassError) return error;
    throw error;
  }
  throw new Error("It was accepted.");
}

const four = new Uint8Array(16);

describe("a request is refused with the tensor's name and what would be right when", () => {
  const cases: [situation: string, init: Init, says: RegExp][] = [
    [
      "the datatype is unknown",
      { inputs: [{ name: "x", datatype: "FLOAT", shape: [4n] }], rawInputContents: [four] },
      /"x" has the unknown datatype "FLOAT".* FP32/,
    ],
    [
      "the datatype is missing",
      { inputs: [{ name: "x", shape: [4n] }], rawInputContents: [four] },
      /"x" has no datatype/,
    ],
    [
      "an axis is negative",
      { inputs: [{ name: "x", datatype: "FP32", shape: [-4n] }], rawInputContents: [four] },
      /"x" has shape \[-4\]/,
    ],
    [
      "an axis is beyond 2^53",
      { inputs: [{ name: "x", datatype: "FP32", shape: [2n ** 60n] }], rawInputContents: [four] },
      /"x" has shape \[1152921504606847000\]/,
    ],
    [
      "the shape's product overflows",
      { inputs: [{ name: "x", datatype: "FP32", shape: [2n ** 40n, 2n ** 40n] }], rawInputContents: [four] },
      /"x" .*too many/,
    ],
    [
      "the length is not what the shape says",
      { inputs: [{ name: "x", datatype: "FP32", shape: [5n] }], rawInputContents: [four] },
      /"x" of FP32\[5\] carries 16 bytes instead of 20 bytes/,
    ],
    [
      "BYTES framing is cut",
      { inputs: [{ name: "s", datatype: "BYTES", shape: [1n] }], rawInputContents: [Uint8Array.of(9, 0, 0, 0, 65)] },
      /"s" ends inside an element/,
    ],
    [
      "BYTES has too few elements",
      { inputs: [{ name: "s", datatype: "BYTES", shape: [2n] }], rawInputContents: [Uint8Array.of(1, 0, 0, 0, 65)] },
      /"s" .*1 elements instead of 2/,
    ],
    [
      "a raw entry is missing",
      {
        inputs: [
          { name: "x", datatype: "FP32", shape: [4n] },
          { name: "y", datatype: "FP32", shape: [4n] },
        ],
        rawInputContents: [four],
      },
      /2 inputs and 1 entries/,
    ],
    ["a raw entry is too many", { inputs: [], rawInputContents: [four] }, /0 inputs and 1 entries/],
    [
      "raw and typed are mixed",
      {
        inputs: [{ name: "x", datatype: "FP32", shape: [1n], contents: { fp32Contents: [1] } }],
        rawInputContents: [four],
      },
      /"x" has typed contents in a request that uses raw/,
    ],
    [
      "a typed list is the wrong one",
      { inputs: [{ name: "x", datatype: "INT64", shape: [1n], contents: { intContents: [1] } }] },
      /"x" of INT64 has its elements in int_contents.* int64_contents/,
    ],
    [
      "FP16 is typed",
      { inputs: [{ name: "x", datatype: "FP16", shape: [1n], contents: { fp32Contents: [1] } }] },
      /FP16 has no typed list/,
    ],
    [
      "typed elements are too few",
      { inputs: [{ name: "x", datatype: "FP32", shape: [3n], contents: { fp32Contents: [1] } }] },
      /"x" of FP32\[3\] has 1 elements instead of 3/,
    ],
    [
      "a typed element does not fit",
      { inputs: [{ name: "x", datatype: "INT8", shape: [1n], contents: { intContents: [300] } }] },
      /"x" has the element 300, which INT8 cannot hold/,
    ],
    [
      "there is no data at all",
      { inputs: [{ name: "x", datatype: "FP32", shape: [1n] }] },
      /"x" of FP32\[1\] has 0 elements/,
    ],
    [
      "an input comes twice",
      {
        inputs: [
          { name: "x", datatype: "FP32", shape: [4n] },
          { name: "x", datatype: "FP32", shape: [4n] },
        ],
        rawInputContents: [four, four],
      },
      /input "x" more than once/,
    ],
    [
      "classification is no count",
      {
        outputs: [
          { name: "y", parameters: { classification: { parameterChoice: { case: "stringParam", value: "a" } } } },
        ],
      },
      /"y" has a "classification"/,
    ],
  ];
  for (const [situation, init, says] of cases) {
    it(situation, () => {
      const error = refusal(() => decodeInferRequest(encode(init)));
      expect(error.code).toBe("INVALID_ARGUMENT");
      expect(error.advice).toMatch(says);
      expect(error.remedy).toBeTruthy();
    });
  }

  it("a tensor is in shared memory", () => {
    const parameters = { shared_memory_region: { parameterChoice: { case: "stringParam" as const, value: "r" } } };
    const body = encode({ inputs: [{ name: "x", datatype: "FP32", shape: [4n], parameters }] });
    expect(refusal(() => decodeInferRequest(body)).code).toBe("UNIMPLEMENTED");
  });
});

describe("a malformed message is refused when it", () => {
  const valid = encode({ inputs: [{ name: "x", datatype: "FP32", shape: [4n] }], rawInputContents: [four] });
  const cases: [situation: string, body: Uint8Array][] = [
    ["ends early", valid.subarray(0, valid.length - 1)],
    ["goes on with garbage", Buffer.concat([valid, Buffer.from([0xff])])],
    ["has a number of more than 64 bits", Uint8Array.from([0x40, ...Array(9).fill(0xff), 0x02])],
    ["has a number of more than 10 bytes", Uint8Array.from([0x40, ...Array(11).fill(0x80)])],
    ["has a length beyond the end", Uint8Array.from([0x3a, 0xff, 0xff, 0xff, 0xff, 0x0f])],
    ["has groups nested too deeply", Uint8Array.from(Array(100).fill(0x4b))],
    ["has a field numbered 0", Uint8Array.from([0x02, 0x00])],
    ["has a field of the wrong wire type", Uint8Array.from([0x28, 0x01])],
    ["has text that is not UTF-8", Uint8Array.from([0x0a, 0x01, 0xff])],
  ];
  for (const [situation, body] of cases) {
    it(situation, () => {
      const error = refusal(() => decodeInferRequest(body));
      expect(error.code).toBe("INVALID_ARGUMENT");
      expect(error.message).toMatch(/not a ModelInferRequest message: .* at byte \d+/);
    });
  }
});

describe("whatever arrives", () => {
  const base = encode({
    id: "7",
    parameters: { sequence_id: { parameterChoice: { case: "int64Param", value: 5n } } },
    inputs: [
      { name: "x", datatype: "FP32", shape: [2n, 2n], contents: { fp32Contents: [1, 2, 3, 4] } },
      { name: "s", datatype: "BYTES", shape: [1n], contents: { bytesContents: [Uint8Array.of(65)] } },
      { name: "i", datatype: "INT8", shape: [2n], contents: { intContents: [-1, 2] } },
    ],
    outputs: [{ name: "y" }],
  });
  const json = Buffer.from(
    '{"id":"1","inputs":[{"name":"x","shape":[2],"datatype":"INT64","data":[1,9007199254740993]}],"outputs":[]}',
  );
  const signature = { inputs: [{ name: "x", datatype: "FP32", shape: [-1n, 2n] }], outputs: [] };
  const decoders: [string, (body: Uint8Array) => unknown][] = [
    ["decodeInferRequest", decodeInferRequest],
    ["decodeInferResponse", decodeInferResponse],
    ["decodeStreamInferResponse", decodeStreamInferResponse],
    ["peekModel", (body) => peekModel(body)],
    ["decodeRestInfer", (body) => decodeRestInfer(body, {}, "m", "")],
    [
      "decodeRestInfer with a header",
      (body) => decodeRestInfer(body, { contentLengthHeader: json.length - 10 }, "m", ""),
    ],
    ["decodeRestInfer of gzip", (body) => decodeRestInfer(body, { contentEncoding: "gzip" }, "m", "")],
    ["decodeRestInfer of deflate", (body) => decodeRestInfer(body, { contentEncoding: "deflate" }, "m", "")],
    ["decodeRestInfer without JSON", (body) => decodeRestInfer(body, { contentLengthHeader: 0 }, "m", "", signature)],
    ["decodePredict", (body) => decodePredict(body, signature)],
  ];
  const mutated = (body: Uint8Array) =>
    fc
      .array(fc.tuple(fc.nat({ max: body.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 })
      .map((changes) => {
        const copy = Buffer.from(body);
        for (const [at, byte] of changes) copy[at] = byte;
        return copy as Uint8Array;
      });
  for (const [name, decode] of decoders) {
    it(`${name} answers or refuses, and nothing else`, () => {
      fc.assert(
        fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated(base), mutated(json)), (body) => {
          try {
            decode(body);
          } catch (error) {
            if (!(error instanceof AimassError)) throw error;
          }
        }),
        { numRuns: 3000 },
      );
    });
  }

  it("many small fields in a large body take time in proportion, not more", () => {
    const contents = Buffer.alloc(2_000_000, Buffer.from([0x2a, 0x00]));
    const header = Buffer.from([0x2a, 0x80, 0x89, 0x7a]);
    const body = Buffer.concat([header, contents]);
    const started = performance.now();
    refusal(() => decodeInferRequest(body));
    expect(performance.now() - started).toBeLessThan(5000);
  });

  const field = (tag: number, bytes: Uint8Array) => {
    const length = [];
    for (let rest = bytes.length; ; rest >>>= 7) {
      length.push(rest > 127 ? (rest & 127) | 128 : rest);
      if (rest <= 127) break;
    }
    return Buffer.concat([Buffer.of(tag, ...length), bytes]);
  };
  const model = field(0x0a, Buffer.from("m"));
  const repeated = (unit: Uint8Array) => Buffer.concat([model, Buffer.alloc(unit.length * 70_000, unit)]);

  it.each([
    ["raw entries", Buffer.of(0x3a, 0)],
    ["inputs", Buffer.of(0x2a, 0)],
    ["requested outputs", Buffer.of(0x32, 0)],
    ["fields nobody knows", Buffer.of(0x78, 1)],
    ["model names", field(0x0a, Buffer.from("m"))],
  ])("millions of %s are not looked at one by one", (_, unit) => {
    for (const read of [peekModel, decodeInferRequest])
      expect(refusal(() => read(repeated(unit))).message).toMatch(/more than 65536 fields/);
  });

  const long = Buffer.alloc(5000, "a");
  it.each([
    ["model", field(0x0a, long)],
    ["version", field(0x12, long)],
    ["request, by its id,", field(0x1a, long)],
    ["input", field(0x2a, field(0x0a, long))],
    ["output", field(0x32, field(0x0a, long))],
    ["parameter", field(0x22, field(0x0a, long))],
  ])("no name is longer than names are: that of a %s", (_, given) => {
    expect(refusal(() => decodeInferRequest(Buffer.concat([model, given]))).message).toMatch(
      /a name of 5000 bytes, more than 4096/,
    );
  });

  it("no request has more parameters than anybody reads, in either form", () => {
    const entries = Array.from({ length: 5000 }, (_, i) =>
      field(0x22, Buffer.concat([field(0x0a, Buffer.from(`p${i}`)), field(0x12, Buffer.of(8, 1))])),
    );
    expect(refusal(() => decodeInferRequest(Buffer.concat([model, ...entries]))).message).toMatch(/4096 parameters/);
    const parameters = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`p${i}`, 1]));
    const body = Buffer.from(JSON.stringify({ inputs: [], parameters }));
    expect(refusal(() => decodeRestInfer(body, {}, "m", "")).message).toMatch(/more than 4096/);
  });

  it.each([
    ["id", { id: long.toString(), inputs: [] }],
    ["input", { inputs: [{ name: long.toString(), datatype: "FP32", shape: [0], data: [] }] }],
    ["output", { inputs: [], outputs: [{ name: long.toString() }] }],
    ["list of outputs", { inputs: [], outputs: Array.from({ length: 17_000 }, (_, i) => ({ name: `y${i}` })) }],
  ])("JSON has the same bounds: %s", (_, body) => {
    const error = refusal(() => decodeRestInfer(Buffer.from(JSON.stringify(body)), {}, "m", ""));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toMatch(/more than (4096|16384)/);
  });
});
