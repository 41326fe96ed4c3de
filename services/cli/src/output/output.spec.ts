import { ApiKeySchema } from "@aimass/api/auth";
import { JobSchema } from "@aimass/api/trainer";
import { create } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Output } from "./output.ts";

let printed = "";

beforeEach(() => {
  printed = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    printed += text;
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

describe("JSON for programs", () => {
  const at = Date.UTC(2026, 4, 4, 12, 30, 7, 250);

  it("has moments as RFC 3339 and spans as seconds, however deep they are", () => {
    const key = create(ApiKeySchema, { id: "k1", createdAt: timestampFromMs(at) });
    const job = create(JobSchema, { id: "j1", startedAt: timestampFromMs(at), remaining: durationFromMs(3500) });
    new Output({ json: true }).result({ key, jobs: [job] }, () => []);
    expect(JSON.parse(printed)).toMatchObject({
      key: { id: "k1", createdAt: "2026-05-04T12:30:07.250Z" },
      jobs: [{ startedAt: "2026-05-04T12:30:07.250Z", remaining: "3.500s" }],
    });
  });

  it("has them so in streams of lines, too", () => {
    new Output({ json: true }).line({ at: timestampFromMs(at) }, "");
    expect(JSON.parse(printed)).toEqual({ at: "2026-05-04T12:30:07.250Z" });
  });
});
