import { describe, expect, it } from "vitest";
import { fillPage } from "./pages.ts";

const names = Array.from({ length: 25 }, (_, n) => String.fromCharCode(97 + n));
const fetch = async (after: readonly string[] | undefined, limit: number) =>
  names.filter((name) => name > (after?.[0] ?? "")).slice(0, limit);

async function readAll(size: number, admit: (name: string) => boolean): Promise<string[][]> {
  const pages: string[][] = [];
  let after: readonly string[] | undefined;
  do {
    const slice = await fillPage({ size, after }, fetch, { key: (name) => [name], admit });
    pages.push([...slice.items]);
    after = slice.next;
  } while (after !== undefined);
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
});
