import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeFolder } from "./make-folder.ts";

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "aimass-folder-"));
});
afterEach(() => rmSync(home, { recursive: true }));

describe("a folder", () => {
  it("is made with those above it, once", () => {
    const path = join(home, "a", "b", "c");
    makeFolder(path, 0o700);
    makeFolder(path);
    expect(["a", "a/b", "a/b/c"].map((name) => statSync(join(home, name)).mode & 0o777)).toEqual([0o700, 0o700, 0o700]);
  });

  it("cannot be made in a file, nor over one", () => {
    writeFileSync(join(home, "file"), "");
    expect(() => makeFolder(join(home, "file", "a"))).toThrow("EEXIST");
    expect(() => makeFolder(join(home, "file"))).toThrow("EEXIST");
  });

  it.runIf(existsSync("/proc/self"))("cannot be made where the system allows none, and that is said", () => {
    expect(() => makeFolder("/proc/aimass/a")).toThrow("ENOENT");
  });
});
