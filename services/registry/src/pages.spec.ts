import { PageRequestSchema } from "@aimass/api/common";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { fillPage, pageInfo, readPage } from "./pages.ts";

const request = (size: number, token = "") => create(PageRequestSchema, { size, token });
const names = Array.from({ length: 25 }, (_, n) => String.fromCharCode(97 + n));
const fetch = async (after: readonly string[] | undefined, limit: number) =>
  names.filter((name) => name > (after?.[0] ?? "")).slice(0, limit);

async function readAll(size: number, admit: (name: string) => boolean): Promise<string[][]> {
  const pages: string[][] = [];
  let token = "";
  do {
    const slice = await fillPage(readPage(request(size, token), 1), fetch, { key: (name) => [name], admit });
    pages.push([...slice.items]);
    token = pageInfo(slice).nextToken;
  } while (token !== "");
  return pages;
}

describe("a list in pages", () => {
  it("is given whole and once", async () => {
    expect((await readAll(10, () => true)).map((page) => page.length)).toEqual([10, 10, 5]);
    expect((await readAll(5, () => true)).flat()).toEqual(names);
  });

  it("leaves no gap where the caller may not look", async () => {
    const visible = (name: string) => "aeiouvxyz".includes(name);
    expect(await readAll(4, visible)).toEqual([
      ["a", "e", "i", "o"],
      ["u", "v", "x", "y"],
    ]);
  });

  it("of nothing visible is one empty page", async () => {
    expect(await readAll(4, () => false)).toEqual([[]]);
  });

  it.each([request(-1), request(1001), request(1, "%%%"), request(1, Buffer.from('["a","b"]').toString("base64url"))])(
    "refuses a request it did not offer",
    (page) => {
      expect(() => readPage(page, 1)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    },
  );
});
