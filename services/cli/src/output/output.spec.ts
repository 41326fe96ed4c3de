import { ApiKeySchema } from "@aimass/api/auth";
import { JobSchema } from "@aimass/api/trainer";
import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { Output } from "./output.ts";

/** What a command that gives JSON prints. */
function printed(print: (output: Output) => void): unknown {
  let text = "";
  print(new Output({ json: true, out: { write: (more) => (text += more) } }));
  return JSON.parse(text);
}

describe("JSON for programs", () => {
  const at = Date.UTC(2026, 4, 4, 12, 30, 7, 250);

  it("has moments as RFC 3339 and spans as seconds, however deep they are", () => {
    const key = create(ApiKeySchema, { id: "k1", createdAt: timestampFromMs(at) });
    const job = create(JobSchema, { id: "j1", startedAt: timestampFromMs(at), remaining: durationFromMs(3500) });
    expect(printed((output) => output.result({ key, jobs: [job] }, () => []))).toMatchObject({
      key: { id: "k1", createdAt: "2026-05-04T12:30:07.250Z" },
      jobs: [{ startedAt: "2026-05-04T12:30:07.250Z", remaining: "3.500s" }],
    });
  });

  it("has them so in streams of lines, too", () => {
    expect(printed((output) => output.line({ at: timestampFromMs(at) }, ""))).toEqual({
      at: "2026-05-04T12:30:07.250Z",
    });
  });
});
