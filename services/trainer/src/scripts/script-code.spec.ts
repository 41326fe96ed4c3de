import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { tempDirectory } from "@aimass/testkit";
import { expect, it } from "vitest";
import { withJob } from "../testing/job-work.ts";
import { fetchCode } from "./script-code.ts";

/** Lays files into a folder, each as many chunks of a mebibyte. Returns their sizes, or what was wrong. */
async function lay(files: Readonly<Record<string, number>>): Promise<readonly number[] | string> {
  const chunk = Buffer.alloc(2 ** 20);
  const paths = Object.keys(files);
  const spec = { script: { files: paths.map((path, i) => ({ path, sha256: new Uint8Array(32).fill(i) })) } };
  await using folder = await tempDirectory();
  return await withJob({ bytes: "x,y\n1,2\n3,4\n5,6\n7,8\n", spec: { target: "y", ...spec } }, async (work) => {
    const library = Object.assign(Object.create(work.library), {
      async *read(sha256: Uint8Array) {
        for (let i = 0; i < (files[paths[sha256[0] ?? 0] as string] ?? 0); i++) yield chunk;
      },
    });
    try {
      await fetchCode({ ...work, library }, folder.path);
    } catch (error) {
      return (error as Error).message;
    }
    expect((await readdir(folder.path)).length).toBeGreaterThan(0);
    return Promise.all(paths.map(async (path) => (await readFile(join(folder.path, path))).length));
  });
}

it("the files of a script are laid where they say", async () => {
  expect(await lay({ "train.py": 1, "lib/model.py": 2 })).toEqual([2 ** 20, 2 * 2 ** 20]);
});

it("a file in the way of another is named", async () => {
  expect(await lay({ lib: 1, "lib/model.py": 1 })).toBe(
    'The script\'s file "lib/model.py" is in the way of another one.',
  );
});

it("files that are larger than their spec says end at what code may take", async () => {
  expect(await lay({ "train.py": 200, "weights.bin": 100 })).toBe(
    'With "weights.bin" the script\'s files are larger than 256 MiB.',
  );
});
