import { ModelInferRequestSchema } from "@aimass/api/inference";
import { create, fromBinary, fromJson, toBinary, toJson, toJsonString } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { inferRequestFromJson } from "./index.ts";

const read = (text: string, limit?: number) =>
  fromBinary(ModelInferRequestSchema, inferRequestFromJson(Buffer.from(text), limit));

const contents = {
  boolContents: [true, false],
  intContents: [-1, 2 ** 31 - 1, -(2 ** 31)],
  int64Contents: [-(2n ** 63n), 2n ** 63n - 1n, 0n],
  uintContents: [2 ** 32 - 1, 0],
  uint64Contents: [2n ** 64n - 1n],
  fp32Contents: [1.5, Number.NaN, Number.NEGATIVE_INFINITY],
  fp64Contents: [1e300, 0.1],
  bytesContents: [Buffer.from("hello"), Buffer.alloc(0), Buffer.from([0, 255])],
};

describe("a request in protobuf's JSON", () => {
  it("is what protobuf's own code makes of it, whatever it has", () => {
    const message = create(ModelInferRequestSchema, {
      modelName: 'm"ü',
      modelVersion: "2",
      id: "42",
      parameters: { p: { parameterChoice: { case: "int64Param", value: 7n } } },
      inputs: [
        { name: "x", datatype: "FP32", shape: [3n], contents },
        {
          name: "y",
          datatype: "BYTES",
          shape: [1n, 2n],
          parameters: { q: { parameterChoice: { case: "boolParam", value: true } } },
        },
        {},
      ],
      outputs: [{ name: "o" }],
      rawInputContents: [Buffer.from([1, 2, 3]), Buffer.alloc(0)],
    });
    for (const useProtoFieldName of [false, true]) {
      const text = toJsonString(ModelInferRequestSchema, message, { useProtoFieldName, prettySpaces: 1 });
      expect(toBinary(ModelInferRequestSchema, read(text))).toEqual(toBinary(ModelInferRequestSchema, message));
    }
  });

  it.each([
    "{}",
    '{"inputs":null,"rawInputContents":null,"unknown":[{"a":[]}]}',
    '{"inputs":[{"contents":null,"name":null},{"contents":{"fp32Contents":null,"other":[1]}}]}',
    '{"inputs":[{"contents":{"fp32Contents":["1.5","NaN",2e0],"intContents":["-7"],"fp64Contents":[]}}]}',
    '{"rawInputContents":["_-8=","AA"]}',
  ])("is read as protobuf's own code reads it: %s", (text) => {
    const expected = fromJson(ModelInferRequestSchema, JSON.parse(text), { ignoreUnknownFields: true });
    expect(toJson(ModelInferRequestSchema, read(text))).toEqual(toJson(ModelInferRequestSchema, expected));
  });

  it.each([
    ["", /ends too early/],
    ["[]", /not an object/],
    ['{"inputs":{}}', /a object stands where a list|object/],
    ['{"inputs":[1]}', /inputs has a number/],
    ['{"modelName":1}', /no ModelInferRequest in JSON/],
    ['{"inputs":[{"shape":["a"]}]}', /no ModelInferRequest in JSON/],
    ['{"inputs":[{"contents":{"intContents":[1.5]}}]}', /Element 0 of intContents is 1\.5/],
    ['{"inputs":[{"contents":{"uintContents":[0,-1]}}]}', /Element 1 of uintContents is -1/],
    ['{"inputs":[{"contents":{"bytesContents":["%"]}}]}', /no base64/],
    ['{"rawInputContents":[1]}', /instead of a string/],
    ['{"inputs":[{"contents":{"fp32Contents":[1}}]}', /breaks at '}'/],
    ["{} x", /breaks at 'x'/],
  ])("is refused in words when it is none: %s", (text, words) => {
    expect(() => read(text)).toThrow(words);
    expect(() => read(text)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("has no more inputs and raw contents than a message may have fields", () => {
    const raw = (count: number) => `"rawInputContents":[${Array(count).fill('""').join(",")}]`;
    expect(read(`{${raw(65_536)}}`).rawInputContents).toHaveLength(65_536);
    for (const text of [`{${raw(65_537)}}`, `{"inputs":[{},{}],${raw(65_535)}}`]) {
      expect(() => read(text)).toThrow(/more than 65536 fields/);
    }
  });

  it("takes no more memory than it may", () => {
    const many = `{"inputs":[{"contents":{"fp64Contents":[${"0,".repeat(1000)}0]}}]}`;
    expect(() => read(many, 4000)).toThrow(/more than 4000 bytes/);
    expect(() => read(`{"id":"${"x".repeat(2 ** 20)}"}`)).toThrow(/1048576 bytes beside its elements/);
  });
});
