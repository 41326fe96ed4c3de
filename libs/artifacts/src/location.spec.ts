import { describe, expect, it } from "vitest";
import { parseArtifactLocation } from "./location.ts";

describe("the place of artifacts", () => {
  it.each([
    ["file:///var/lib/aimass", { kind: "file", directory: "/var/lib/aimass" }],
    ["s3://models", { kind: "s3", bucket: "models", prefix: "" }],
    [
      "s3://models/a/b/?endpoint=http%3A%2F%2Fminio%3A9000&region=eu-west-1",
      { kind: "s3", bucket: "models", prefix: "a/b/", endpoint: "http://minio:9000", region: "eu-west-1" },
    ],
    [
      "s3://models/a?endpoint=http://minio:9000",
      { kind: "s3", bucket: "models", prefix: "a/", endpoint: "http://minio:9000" },
    ],
  ])("%s is understood", (text, expected) => {
    expect(parseArtifactLocation(text)).toEqual(expected);
  });

  it.each(["", "/var/lib", "file://host/path", "http://host/x", "s3:///x", "s3://b?endpoint=nowhere"])(
    "%s is refused",
    (text) => {
      expect(parseArtifactLocation(text)).toBeUndefined();
    },
  );
});
