import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { memoryFile, openDataset } from "@aimass/datasets";
import { type TempDirectory, tempDirectory } from "@aimass/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dataFile } from "../examples/example.ts";
import { imageFolder } from "./image-folder.ts";
import type { UploadSource } from "./upload.ts";
import { type ZipMember, zipSize, zipStream } from "./zip-stream.ts";

const picture = readFileSync(dataFile("digit-7.png"));

let folder: TempDirectory;

beforeEach(async () => {
  folder = await tempDirectory();
});

afterEach(() => folder[Symbol.asyncDispose]());

function put(path: string, bytes: Uint8Array = picture): void {
  mkdirSync(dirname(join(folder.path, path)), { recursive: true });
  writeFileSync(join(folder.path, path), bytes);
}

async function bytesOf(source: UploadSource, start = 0): Promise<Buffer> {
  return joined(source.read(start));
}

async function joined(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}

async function rowsOf(bytes: Uint8Array): Promise<string[]> {
  await using dataset = await openDataset({ format: "image-zip", file: memoryFile(bytes) });
  const rows: string[] = [];
  for await (const batch of dataset.batches({ batchRows: 10_000 })) {
    const images = batch.columns.get("image");
    if (images?.type !== "image") expect.fail();
    for (const image of images.values) rows.push(`${image.name} ${image.sizeBytes}`);
  }
  return rows;
}

describe("a folder of images by class", () => {
  it("becomes an archive that is read back, of the size that was told", async () => {
    for (const path of ["猫/b.png", "猫/a.PNG", "dog/1.png", "dog/.hidden", ".git/x", "dog/Thumbs.db"]) put(path);
    const source = await imageFolder(folder.path);
    expect([source.images, source.labels]).toEqual([3, ["dog", "猫"]]);
    const bytes = await bytesOf(source);
    expect(bytes.length).toBe(source.sizeBytes);
    expect(await rowsOf(bytes)).toEqual(
      ["dog/1.png", "猫/a.PNG", "猫/b.png"].map((name) => `${name} ${picture.length}`),
    );
  });

  it("becomes the same bytes each time, and from anywhere", async () => {
    for (let i = 0; i < 20; i++) put(`${i % 3}/${i}.png`);
    const whole = await bytesOf(await imageFolder(folder.path));
    const again = await imageFolder(folder.path);
    for (const start of [0, 1, 37, 500, whole.length - 1, whole.length])
      expect((await bytesOf(again, start)).equals(whole.subarray(start)), `from ${start}`).toBe(true);
  });

  it.each([
    ["a file beside the folders", "stray.png", /stray\.png is in no folder of a class/],
    ["a file that is no image", "cat/notes.txt", /notes\.txt is neither PNG nor JPEG/],
    ["a folder in a folder", "cat/deep/1.png", /deep is a folder inside the folder of a class/],
  ])("with %s is refused, and the file named", async (_what, path, sentence) => {
    put("cat/1.png");
    put(path);
    await expect(imageFolder(folder.path)).rejects.toThrow(sentence);
  });

  it("without an image is refused", async () => {
    await expect(imageFolder(folder.path)).rejects.toThrow(/has no images/);
  });

  it("whose file changes while it is read ends in an error", async () => {
    put("cat/1.png");
    const source = await imageFolder(folder.path);
    put("cat/1.png", Buffer.concat([picture, picture]));
    await expect(bytesOf(source)).rejects.toThrow(/1\.png changed while it was read/);
  });
});

describe("an archive of more files than the old format counts", () => {
  it("is read back whole", async () => {
    const members: ZipMember[] = Array.from({ length: 66_000 }, (_, i) => ({
      name: `${i % 2}/${String(i).padStart(6, "0")}.png`,
      sizeBytes: 1,
      read: async () => Uint8Array.of(i % 256),
    }));
    const bytes = await joined(zipStream(members));
    expect(bytes.length).toBe(zipSize(members));
    expect(await rowsOf(bytes)).toHaveLength(66_000);
  });
});
