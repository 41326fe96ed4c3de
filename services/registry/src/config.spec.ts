import { describe, expect, it } from "vitest";
import { readRegistryConfig } from "./config.ts";

const env = {
  AIMASS_IDENTITY_FILE: "/id",
  AIMASS_TRUST_FILE: "/trust",
  AIMASS_DATABASE_URL: "postgres://localhost/x",
  AIMASS_AUTH_ADDRESSES: "127.0.0.1:1",
  AIMASS_STATE_DIR: "/state dir",
};

describe("the registry's configuration", () => {
  it("keeps artifacts in the state directory unless told otherwise", () => {
    expect(readRegistryConfig(env).artifacts).toEqual({ kind: "file", directory: "/state dir/artifacts" });
  });

  it("takes a bucket with credentials", () => {
    const s3 = {
      AIMASS_ARTIFACTS: "s3://models/a?endpoint=http://minio:9000",
      AIMASS_S3_ACCESS_KEY_ID: "key",
      AIMASS_S3_SECRET_ACCESS_KEY: "secret",
    };
    expect(readRegistryConfig({ ...env, ...s3 }).artifacts).toEqual({
      kind: "s3",
      bucket: "models",
      prefix: "a/",
      endpoint: "http://minio:9000",
      credentials: { accessKeyId: "key", secretAccessKey: "secret" },
    });
  });

  it.each([
    [{ AIMASS_ARTIFACTS: "/var/lib" }, "AIMASS_ARTIFACTS"],
    [{ AIMASS_S3_ACCESS_KEY_ID: "key" }, "AIMASS_S3_SECRET_ACCESS_KEY"],
    [{ AIMASS_S3_SECRET_ACCESS_KEY: "secret" }, "AIMASS_S3_ACCESS_KEY_ID"],
    [{ AIMASS_S3_ACCESS_KEY_ID: "key", AIMASS_S3_SECRET_ACCESS_KEY: "secret" }, "AIMASS_ARTIFACTS names no bucket"],
    [{ AIMASS_PROBE_CONCURRENCY: "0" }, "AIMASS_PROBE_CONCURRENCY"],
    [{ AIMASS_DATABASE_URL: "" }, "AIMASS_DATABASE_URL"],
  ])("with %j names %s", (change, name) => {
    expect(() => readRegistryConfig({ ...env, ...change })).toThrow(name);
  });
});
