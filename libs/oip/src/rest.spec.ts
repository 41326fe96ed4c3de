import { deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { AimassError } from "@aimass/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  bytesFromElements,
  compress,
  type Datatype,
  decodeRestInfer,
  elementsOf,
  encodeRestError,
  encodeRestInfer,
  inflate,
  type RestInfer,
  type Tensor,
} from "./index.ts";

const decode = (json: object | string, headers = {}) =>
  decodeRestInfer(Buffer.from(typeof json === "string" ? json : JSON.stringify(json)), headers, "m", "");
const input = (datatype: Datatype, shape: number[], data: unknown) => ({
  inputs: [{ name: "x", datatype, shape, data }],
});
const bytes = (decoded: RestInfer) => decoded.request.inputs[0]?.bytes as Uint8Array;
const askedBy = ({ request, binaryByDefault }: RestInfer) => ({ outputs: request.outputs, binaryByDefault });
const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

describe("REST data in JSON", () => {
  it("may be flat or nested", () => {
    const flat = decode(input("FP32", [2, 3], [1, 2, 3, 4, 5, 6]));
    const nested = decode(
      input(
        "FP32",
        [2, 3],
        [
          [1, 2, 3],
          [4, 5, 6],
        ],
      ),
    );
    expect(Buffer.from(bytes(flat))).toEqual(Buffer.from(floats(1, 2, 3, 4, 5, 6)));
    expect(Buffer.from(bytes(nested))).toEqual(Buffer.from(bytes(flat)));
  });

  it("may be a bare value for rank 0 and an empty list for an empty tensor", () => {
    expect(bytes(decode(input("INT8", [], 5)))).toEqual(Uint8Array.of(5));
    expect(bytes(decode(input("FP32", [0, 4], []))).byteLength).toBe(0);
  });

  it("keeps 64-bit integers exact in both directions", () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { minLength: 1 }), (values) => {
        const body = `{"inputs":[{"name":"x","datatype":"INT64","shape":[${values.length}],"data":[${values.join(", ")}]}]}`;
        const decoded = decode(body);
        expect(Array.from(elementsOf("INT64", bytes(decoded)))).toEqual(values);
        const output: Tensor = { name: "y", datatype: "INT64", shape: [values.length], bytes: bytes(decoded) };
        const answer = encodeRestInfer(
          { modelName: "m", modelVersion: "1", id: "", outputs: [output] },
          askedBy(decoded),
        );
        expect(answer.body.toString()).toContain(`"data":[${values.join(",")}]`);
      }),
    );
    expect(
      elementsOf(
        "UINT64",
        bytes(decode('{"inputs":[{"name":"x","datatype":"UINT64","shape":[1],"data":[18446744073709551615]}]}')),
      )[0],
    ).toBe(2n ** 64n - 1n);
  });

  it("takes null for what is absent, and needs no data where there are none", () => {
    const x = { name: "x", datatype: "FP32", shape: [1], data: [1], parameters: null };
    const decoded = decode({ id: null, parameters: null, outputs: null, inputs: [x] });
    expect(decoded.request).toMatchObject({ id: "", outputs: [] });
    const none = { name: "x", datatype: "FP32", shape: [0, 3], data: null };
    expect(bytes(decode({ inputs: [{ ...none, parameters: { binary_data_size: 0 } }] }))).toHaveLength(0);
    expect(bytes(decode({ inputs: [{ ...none, parameters: { binary_data_size: null } }] }))).toHaveLength(0);
    const outputs = [
      { name: "y", parameters: { binary_data: null, classification: null } },
      { name: "z", parameters: null },
    ];
    expect(decode({ inputs: [x], outputs }).request.outputs.map(({ name, binary }) => [name, binary])).toEqual([
      ["y", undefined],
      ["z", undefined],
    ]);
  });

  it("takes NaN and infinities bare, as Triton's client and Python write them, and no such word inside strings", () => {
    const data = (text: string, datatype: string, count: number) =>
      bytes(decode(`{"inputs":[{"name":"x","datatype":"${datatype}","shape":[${count}],"data":${text}}]}`));
    expect(Array.from(elementsOf("FP64", data("[NaN, Infinity,-Infinity , 1]", "FP64", 4)))).toEqual([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      1,
    ]);
    expect(Buffer.from(data('["NaN", "a: NaN, \\" Infinity"]', "BYTES", 2))).toEqual(
      bytesFromElements(["NaN", 'a: NaN, " Infinity']),
    );
  });

  it("may name the data before their type and shape, and a field again", () => {
    expect(bytes(decode('{"inputs":[{"data":[1,2],"shape":[3],"name":"x","datatype":"INT8","shape":[2]}]}'))).toEqual(
      Uint8Array.of(1, 2),
    );
  });

  it("carries BYTES as strings and booleans as booleans", () => {
    expect(Buffer.from(bytes(decode(input("BYTES", [2], ["a", "ü"]))))).toEqual(bytesFromElements(["a", "ü"]));
    expect(bytes(decode(input("BOOL", [3], [true, false, 1])))).toEqual(Uint8Array.of(1, 0, 1));
  });

  it("writes NaN and infinities as strings and reads them so", () => {
    const decoded = decode(input("FP32", [3], ["NaN", "Infinity", "-Infinity"]));
    expect(Array.from(elementsOf("FP32", bytes(decoded)))).toEqual([Number.NaN, Infinity, -Infinity]);
    const output: Tensor = { name: "y", datatype: "FP32", shape: [3], bytes: bytes(decoded) };
    const answer = encodeRestInfer({ modelName: "m", modelVersion: "1", id: "", outputs: [output] }, askedBy(decoded));
    expect(JSON.parse(answer.body.toString()).outputs[0].data).toEqual(["NaN", "Infinity", "-Infinity"]);
  });

  const refused: [string, object | string, RegExp][] = [
    ["no JSON", "hello", /it breaks at 'h' in "hello"/],
    ["a number instead of an input", '{"inputs": [NaN]}', /inputs\[0\] is a number/],
    ["a bare word that is no number", '{"inputs": [Nope]}', /it breaks at 'N' in/],
    [
      "NaN among whole numbers",
      '{"inputs":[{"name":"x","datatype":"INT64","shape":[1],"data":[NaN]}]}',
      /Element 0 .* is NaN.*whole numbers/,
    ],
    ["true among whole numbers", input("INT64", [1], [true]), /Element 0 .* is a boolean/],
    ["null among whole numbers", input("INT64", [1], [null]), /Element 0 .* is null/],
    ["lists without end", `{"inputs":${"[".repeat(100_000)}`, /more than 128 lists in each other/],
    ["a description as large as data", { ...input("INT8", [1], [1]), id: "x".repeat(2 ** 21) }, /"id" has .* bytes/],
    ["half a body", '{"inputs": ', /ends too early/],
    ["a comma too many", '{"inputs": [1,]}', /it breaks at/],
    ["no object", "[]", /not an object/],
    ["no inputs", {}, /no "inputs"/],
    ["ragged rows", input("FP32", [2, 2], [[1, 2], [3]]), /"x".*1 entries on axis 1/],
    ["too few elements", input("FP32", [3], [1, 2]), /2 elements instead of 3/],
    ["a huge shape with little data", input("FP64", [1_000_000_000], [1]), /1 elements instead of 1000000000/],
    ["a string among numbers", input("FP32", [1], ["1"]), /Element 0 of tensor "x"/],
    ["a fraction among integers", input("INT32", [1], [1.5]), /Element 0 .* is 1\.5/],
    ["an integer too large", input("UINT8", [1], [256]), /0 to 255/],
    [
      "an integer beyond 64 bits",
      '{"inputs":[{"name":"x","datatype":"INT64","shape":[1],"data":[9223372036854775808]}]}',
      /9223372036854775808/,
    ],
    ["FP16 in JSON", input("FP16", [1], [1]), /binary data/],
    ["a fractional axis", input("FP32", [1.5], [1]), /whole number/],
    [
      "data and binary data",
      { inputs: [{ name: "x", datatype: "FP32", shape: [1], data: [1], parameters: { binary_data_size: 4 } }] },
      /both/,
    ],
    [
      "binary data that is not there",
      { inputs: [{ name: "x", datatype: "FP32", shape: [1], parameters: { binary_data_size: 4 } }] },
      /0 bytes are left/,
    ],
  ];
  for (const [situation, body, says] of refused) {
    it(`is refused for ${situation}`, () => {
      try {
        decode(body);
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(AimassError);
        expect((error as AimassError).code).toBe("INVALID_ARGUMENT");
        expect((error as AimassError).advice).toMatch(says);
      }
    });
  }
});

describe("binary tensor data", () => {
  const header = {
    inputs: [
      { name: "x", datatype: "FP32", shape: [2], parameters: { binary_data_size: 8 } },
      { name: "i", datatype: "INT8", shape: [1], data: [3] },
      { name: "s", datatype: "BYTES", shape: [1], parameters: { binary_data_size: 5 } },
    ],
  };
  const json = Buffer.from(JSON.stringify(header));

  it("follows the JSON in the order of the inputs", () => {
    const body = Buffer.concat([json, floats(1, 2), bytesFromElements(["z"])]);
    const { request } = decodeRestInfer(body, { contentLengthHeader: json.length }, "m", "1");
    expect(Array.from(elementsOf("FP32", request.inputs[0]?.bytes as Uint8Array))).toEqual([1, 2]);
    expect(request.inputs[1]?.bytes).toEqual(Uint8Array.of(3));
    expect(Buffer.from(request.inputs[2]?.bytes as Uint8Array)).toEqual(bytesFromElements(["z"]));
  });

  it("is refused when bytes are left over", () => {
    const body = Buffer.concat([json, floats(1, 2), bytesFromElements(["z"]), Buffer.from("!")]);
    expect(() => decodeRestInfer(body, { contentLengthHeader: json.length }, "m", "1")).toThrow(
      /1 bytes that belong to no input/,
    );
  });

  it("answers in binary what was asked for in binary", () => {
    const asked = decode({
      ...input("FP32", [1], [1]),
      parameters: { binary_data_output: true },
      outputs: [{ name: "a" }, { name: "b", parameters: { binary_data: false } }],
    });
    const outputs: Tensor[] = ["a", "b"].map((name) => ({ name, datatype: "FP32", shape: [1], bytes: floats(4) }));
    const answer = encodeRestInfer({ modelName: "m", modelVersion: "2", id: "q", outputs }, askedBy(asked));
    const length = Number(answer.headers["inference-header-content-length"]);
    const parsed = JSON.parse(answer.body.subarray(0, length).toString());
    expect(parsed).toEqual({
      model_name: "m",
      model_version: "2",
      id: "q",
      outputs: [
        { name: "a", datatype: "FP32", shape: [1], parameters: { binary_data_size: 4 } },
        { name: "b", datatype: "FP32", shape: [1], data: [4] },
      ],
    });
    expect(answer.body.subarray(length)).toEqual(Buffer.from(floats(4)));
  });

  it("may be the whole body, its shape told by the signature", () => {
    const signature = { inputs: [{ name: "x", datatype: "FP32", shape: [-1n, 3n, -1n] }], outputs: [] };
    const decoded = decodeRestInfer(floats(1, 2, 3, 4, 5, 6), { contentLengthHeader: 0 }, "m", "", signature);
    expect(decoded.request.inputs[0]?.shape).toEqual([1, 3, 2]);
    expect(decoded.binaryByDefault).toBe(true);
    const text = { inputs: [{ name: "t", datatype: "BYTES", shape: [-1n, 1n] }], outputs: [] };
    const said = decodeRestInfer(Buffer.from("hello"), { contentLengthHeader: 0 }, "m", "", text);
    expect(said.request.inputs[0]).toMatchObject({ shape: [1, 1] });
    expect(Buffer.from(bytes(said))).toEqual(bytesFromElements(["hello"]));
  });
});

describe("compressed bodies", () => {
  const json = JSON.stringify(input("INT8", [1], [7]));

  it("are read as gzip, deflate and raw deflate", () => {
    for (const [encoding, body] of [
      ["gzip", gzipSync(json)],
      ["deflate", deflateSync(json)],
      ["deflate", deflateRawSync(json)],
    ] as const) {
      const decoded = decodeRestInfer(body, { contentEncoding: encoding }, "m", "");
      expect(bytes(decoded)).toEqual(Uint8Array.of(7));
    }
  });

  it("are refused when they unfold past the limit, when damaged, and when unknown", async () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000));
    await expect(inflate(bomb, "gzip", 10_000)).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
    expect(() => decodeRestInfer(bomb, { contentEncoding: "gzip", inflateLimit: 10_000 }, "m", "")).toThrow(
      /more than 10000 bytes/,
    );
    expect(() => decodeRestInfer(Buffer.from("nonsense"), { contentEncoding: "gzip" }, "m", "")).toThrow(
      /not valid gzip/,
    );
    expect(() => decodeRestInfer(Buffer.from("{}"), { contentEncoding: "br" }, "m", "")).toThrow(/content encoding/);
  });

  it("are written when they are worth it and the client accepts them", async () => {
    const large = Buffer.alloc(10_000, "a");
    const packed = await compress(large, "br, gzip;q=0.5");
    expect(packed.encoding).toBe("gzip");
    expect(Buffer.from(await inflate(packed.body, "gzip"))).toEqual(large);
    expect((await compress(large, "gzip;q=0, deflate")).encoding).toBe("deflate");
    expect((await compress(Buffer.from("small"), "gzip")).encoding).toBeUndefined();
    expect((await compress(large, undefined)).encoding).toBeUndefined();
  });
});

describe("a REST error", () => {
  it("has the status of its code and Triton's body", () => {
    const error = new AimassError("RESOURCE_EXHAUSTED", "The queue is full.", {
      remedy: "Try again later.",
      retryAfterMs: 1200,
    });
    const encoded = encodeRestError(error);
    expect(encoded.status).toBe(429);
    expect(encoded.headers["retry-after"]).toBe("2");
    expect(JSON.parse(encoded.body.toString())).toEqual({ error: "The queue is full. Try again later." });
  });
});
