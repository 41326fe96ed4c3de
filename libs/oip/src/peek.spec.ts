import { ModelInferRequestSchema } from "@aimass/api/inference";
import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { peekModel } from "./peek.ts";

const encode = (init: object) => toBinary(ModelInferRequestSchema, create(ModelInferRequestSchema, init));

describe("peekModel", () => {
  it("finds name and version behind other fields, the last one winning", () => {
    const first = encode({ modelName: "old", inputs: [{ name: "x" }], rawInputContents: [new Uint8Array(1000)] });
    const body = Buffer.concat([first, encode({ modelName: "new", modelVersion: "3" })]);
    expect(peekModel(body)).toEqual({ name: "new", version: "3", hasSequence: false });
  });

  it("begins where it is told, behind a gRPC prefix", () => {
    const message = encode({ modelName: "m" });
    const framed = Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
    expect(peekModel(framed, 5).name).toBe("m");
  });

  it("sees any sequence parameter and takes no other for one", () => {
    const value = { parameterChoice: { case: "int64Param", value: 1n } };
    expect(peekModel(encode({ parameters: { priority: value, sequence_id: value } })).hasSequence).toBe(true);
    expect(peekModel(encode({ parameters: { sequence_start: value } })).hasSequence).toBe(true);
    expect(peekModel(encode({ parameters: { priority: value, sequencer: value } })).hasSequence).toBe(false);
  });

  it("takes a request of very many parameters for a sequence rather than looking at all", () => {
    const value = { parameterChoice: { case: "int64Param", value: 1n } };
    const parameters = Object.fromEntries(Array.from({ length: 70 }, (_, index) => [`p${index}`, value]));
    expect(peekModel(encode({ parameters })).hasSequence).toBe(true);
  });
});
