import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { memoryFile } from "./data-file.ts";
import { detectFormat } from "./detect-format.ts";

const told = (bytes: string | Uint8Array) => detectFormat(memoryFile(Buffer.from(bytes)));

describe("the format of a file", () => {
  it.each([
    ["a,b\n1,2\n", "csv"],
    ["only\n1\n", "csv"],
    ["a;b\n1;2\n", "csv"],
    ["\ufeffa\tb, or c\td\n1\t2\t3\n", "tsv"],
    ['{"a": 1}\n', "json-lines"],
    ['\n  { "a \\" b" : "c', "json-lines"],
    ["{},x\n1,2\n", "csv"],
    ['"{""a"": 1}",b\n', "csv"],
    ["PAR1…", "parquet"],
  ])("%j is %s", async (text, format) => {
    expect(await told(text)).toBe(format);
  });

  it("of an archive is images", async () => {
    expect(await told(zipSync({ "a/b.png": new Uint8Array(3) }))).toBe("image-zip");
    expect(await told(zipSync({}))).toBe("image-zip");
  });

  it.each([
    ["nothing", Buffer.alloc(0), "empty"],
    ["blank lines", Buffer.from("\n\r\n \n"), "empty"],
    ["gzip", Buffer.from([0x1f, 0x8b, 8, 0]), "gzip"],
    ["UTF-16", Buffer.from([0xff, 0xfe, 65, 0]), "UTF-16"],
    ["one image", Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), "one image"],
    ["a program", Buffer.from("\x7fELF\0\0\0", "latin1"), "not text"],
  ])("that is %s is refused with the reason", async (_, bytes, why) => {
    await expect(told(bytes)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: expect.stringContaining(why),
    });
  });
});
