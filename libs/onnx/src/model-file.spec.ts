import { AimassError } from "@aimass/core";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adaptBfloat16 } from "./bfloat16.ts";
import { elementTypeOf, GraphBuilder, readModel, writeModel } from "./index.ts";
import { echoModel, mlpModel, tinyModel } from "./samples.ts";

describe("readModel", () => {
  it("reads what GraphBuilder wrote, unchanged", () => {
    const bytes = mlpModel({ layers: [4, 8, 2] });
    expect(writeModel(readModel(bytes))).toEqual(bytes);
  });

  it("keeps fields it does not know", () => {
    const bytes = Buffer.concat([tinyModel(), Buffer.from([0xa2, 0x01, 0x02, 0x0a, 0x00])]);
    expect(Buffer.from(writeModel(readModel(bytes))).includes(Buffer.from([0xa2, 0x01, 0x02, 0x0a, 0x00]))).toBe(true);
  });

  it("refuses ONNX Runtime's own format, also inside a file that parses", () => {
    const disguised = Buffer.concat([Buffer.from([0x08, 0x08, 0x12, 0x04]), Buffer.from("ORTM"), tinyModel()]);
    expect(() => readModel(disguised)).toThrow(/ONNX Runtime's own format/);
  });

  it("answers or refuses whatever bytes it gets", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          readModel(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(AimassError);
        }
      }),
    );
  });
});

describe("GraphBuilder", () => {
  it("refuses constants whose data is not as long as their shape", () => {
    const graph = new GraphBuilder("g");
    expect(() => graph.constant("w", "FP32", [3], new Float32Array(2))).toThrow(/"w" of FP32\[3\] has 8 bytes/);
  });

  it("makes the same bytes from the same seed", () => {
    expect(mlpModel({ layers: [3, 2], seed: 4 })).toEqual(mlpModel({ layers: [3, 2], seed: 4 }));
    expect(mlpModel({ layers: [3, 2], seed: 4 })).not.toEqual(mlpModel({ layers: [3, 2], seed: 5 }));
  });
});

describe("adaptBfloat16", () => {
  it("gives a BF16 model FP32 inputs and outputs and leaves others alone", () => {
    const adapted = adaptBfloat16(readModel(echoModel("BF16")));
    expect([...(adapted?.inputs ?? [])]).toEqual(["x"]);
    expect([...(adapted?.outputs ?? [])]).toEqual(["y"]);
    const types = adapted?.model.graph?.input.map((input) => input.type?.value.value);
    expect(types).toMatchObject([{ elemType: elementTypeOf("FP32").onnx }]);
    expect(adaptBfloat16(readModel(echoModel("FP16")))).toBeUndefined();
  });
});
