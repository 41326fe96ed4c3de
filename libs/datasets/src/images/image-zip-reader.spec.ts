import { readFile } from "node:fs/promises";
import { deflateSync } from "node:zlib";
import { AimassError } from "@aimass/core";
import encodeJpeg, { init } from "@jsquash/jpeg/encode.js";
import fc from "fast-check";
import { zipSync } from "fflate";
import { beforeAll, describe, expect, it } from "vitest";
import {
  decodeImage,
  defaultLimits,
  type ImageReference,
  type Limits,
  memoryFile,
  openDataset,
  profileDataset,
} from "../index.ts";
import { type PngOptions, pngOf } from "./png-writer.fixture.ts";

const pixel = pngOf({ width: 1, height: 1, colour: 2, depth: 8, samples: [1, 2, 3] });

async function imagesOf(zip: Uint8Array, limits: Partial<Limits> = {}) {
  const dataset = await openDataset({ format: "image-zip", file: memoryFile(zip), limits });
  const images: ImageReference[] = [];
  const labels: unknown[] = [];
  for await (const batch of dataset.batches({ batchRows: 2 })) {
    const [image, label] = [batch.columns.get("image"), batch.columns.get("label")];
    if (image?.type === "image") images.push(...image.values);
    if (label?.type === "string") labels.push(...label.values);
  }
  return { images, labels };
}

async function refusal(work: Promise<unknown>): Promise<AimassError> {
  const error = await work.then(
    () => expect.unreachable("the file was taken"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AimassError);
  return error as AimassError;
}

const refused = (files: Record<string, Uint8Array>, limits: Partial<Limits> = {}) =>
  refusal(imagesOf(zipSync(files), limits));

beforeAll(async () => {
  const wasm = await readFile(new URL(import.meta.resolve("@jsquash/jpeg/codec/enc/mozjpeg_enc.wasm")));
  await init({ wasmBinary: wasm } as Parameters<typeof init>[0]);
});

describe("a ZIP of images by class", () => {
  it("yields images with their folder as label, in order of path, litter left out", async () => {
    const files = {
      "set/dog/1.png": pixel,
      "set/cat/2.PNG": pixel,
      "set/cat/1.png": pixel,
      "__MACOSX/set/cat/._1.png": Buffer.from("x"),
      "set/.DS_Store": Buffer.from("x"),
    };
    const { images, labels } = await imagesOf(zipSync(files));
    expect(images.map(({ name }) => name)).toEqual(["set/cat/1.png", "set/cat/2.PNG", "set/dog/1.png"]);
    expect(labels).toEqual(["cat", "cat", "dog"]);
    expect(await images[0]?.decode()).toEqual({ width: 1, height: 1, rgb: Uint8Array.of(1, 2, 3) });
  });

  it("has a profile of sizes, formats and labels", async () => {
    const wide = pngOf({ width: 4, height: 2, colour: 0, depth: 8, samples: new Array(8).fill(9) });
    const jpeg = new Uint8Array(
      await encodeJpeg({ data: new Uint8ClampedArray(64).fill(200), width: 4, height: 4 } as Parameters<
        typeof encodeJpeg
      >[0]),
    );
    const zip = zipSync({ "a/1.png": pixel, "a/2.png": wide, "b/3.jpg": jpeg });
    const { rows, columns } = await profileDataset({ format: "image-zip", file: memoryFile(zip) });
    expect(rows).toBe(3);
    expect(columns[0]?.statistics).toEqual({
      kind: "image",
      minimumWidth: 1,
      maximumWidth: 4,
      minimumHeight: 1,
      maximumHeight: 4,
      png: 2,
      jpeg: 1,
    });
    expect(columns[1]?.frequent?.values[0]).toEqual({ value: "a", count: 2 });
  });

  it.each([
    ["WebP", { "a/1.webp": pixel }, "mogrify -format png */*.webp"],
    ["GIF", { "a/1.png": pixel, "b/1.GIF": pixel }, "mogrify -format png */*.GIF"],
    ["folders for training and validation", { "train/a/1.png": pixel, "val/a/2.png": pixel }, "FOLDER/train"],
    ["such folders below another", { "x/Train/a/1.png": pixel, "x/test/a/2.png": pixel }, "FOLDER/train"],
  ])("of %s says what to do", async (_, files, remedy) => {
    expect((await refused(files as Record<string, Uint8Array>)).remedy).toContain(remedy);
  });

  it.each([
    ["no images", {}, "has no images"],
    ["an image without a folder", { "1.png": pixel }, "is in no folder"],
    ["folders in folders", { "a/1.png": pixel, "a/b/2.png": pixel }, "is not in a folder right below"],
    ["another kind of file", { "a/readme.txt": pixel }, "neither PNG nor JPEG"],
    ["an archive in the archive", { "a/1.zip": pixel }, "an archive in the archive"],
    ["a path that leaves it", { "../a/1.png": pixel }, "no path inside it"],
    ["an absolute path", { "/a/1.png": pixel }, "no path inside it"],
    ["a path of Windows", { "C:\\a\\1.png": pixel }, "no path inside it"],
  ])("is refused with %s", async (_, files, sentence) => {
    expect((await refused(files as Record<string, Uint8Array>)).message).toContain(sentence);
  });
});

describe("ZIP bombs", () => {
  const zeros = new Uint8Array(30 * 1024 * 1024);

  it("of one file that unpacks to a thousand times its size", async () => {
    const zip = zipSync({ "a/1.png": zeros });
    expect(zip.byteLength).toBeLessThan(100_000);
    expect(await refusal(imagesOf(zip))).toMatchObject({ reason: "DATASET_LIMIT", field: "zipRatio" });
  });

  it("of large, of many and of together large files", async () => {
    expect(await refused({ "a/1.png": new Uint8Array(40 * 1024 * 1024) })).toMatchObject({ field: "zipEntryBytes" });
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`a/${i}.png`, pixel]));
    expect(await refused(many, { zipEntries: 49 })).toMatchObject({ field: "zipEntries" });
    expect(await refused(many, { zipTotalBytes: 50 * pixel.length - 1 })).toMatchObject({ field: "zipTotalBytes" });
    expect(await refused(many, { rows: 49 })).toMatchObject({ field: "rows" });
  });

  it("whose files share their bytes", async () => {
    const zip = Buffer.from(zipSync({ "a/1.png": pixel, "a/2.png": pixel }));
    const directory = zip.readUInt32LE(zip.length - 6);
    const second = zip.indexOf(Buffer.from([0x50, 0x4b, 1, 2]), directory + 4);
    zip.writeUInt32LE(0, second + 42);
    expect((await refusal(imagesOf(zip))).message).toContain("overlaps");
  });

  it("whose sizes are lies", async () => {
    const zip = Buffer.from(zipSync({ "a/1.png": zeros.subarray(0, 900_000) }));
    const directory = zip.readUInt32LE(zip.length - 6);
    zip.writeUInt32LE(1000, directory + 24);
    const { images } = await imagesOf(zip);
    expect((await refusal(images[0]?.read() as Promise<unknown>)).message).toContain(
      "does not unpack to the size it declares",
    );
  });

  it("whose checksums are wrong", async () => {
    const zip = Buffer.from(zipSync({ "a/1.png": pixel }, { level: 0 }));
    const at = zip.indexOf(Buffer.from("IDAT"));
    zip[at + 8] = (zip[at + 8] as number) ^ 1;
    const { images } = await imagesOf(zip);
    expect((await refusal(images[0]?.read() as Promise<unknown>)).message).toContain("checksum is wrong");
  });
});

describe("a PNG", () => {
  const kinds: readonly (readonly [number, number, number])[] = [
    [0, 1, 1],
    [0, 2, 1],
    [0, 4, 1],
    [0, 8, 1],
    [0, 16, 1],
    [2, 8, 3],
    [2, 16, 3],
    [3, 4, 1],
    [3, 8, 1],
    [4, 8, 2],
    [6, 8, 4],
    [6, 16, 4],
  ];

  it("of every kind, size, filter and interlacing decodes to the pixels that were written", async () => {
    const image = fc
      .tuple(fc.constantFrom(...kinds), fc.integer({ min: 1, max: 19 }), fc.integer({ min: 1, max: 19 }))
      .chain(([[colour, depth, channels], width, height]) => {
        const count = width * height * channels;
        return fc.record({
          colour: fc.constant(colour),
          depth: fc.constant(depth),
          width: fc.constant(width),
          height: fc.constant(height),
          samples: fc.array(fc.nat(2 ** depth - 1), { minLength: count, maxLength: count }),
          filter: fc.integer({ min: 0, max: 4 }),
          interlaced: fc.boolean(),
        });
      });
    await fc.assert(
      fc.asyncProperty(image, async (options) => {
        const palette = Array.from({ length: 256 * 3 }, (_, i) => (i * 7) & 255);
        const found = await decodeImage(pngOf({ ...options, palette }), "x.png", defaultLimits);
        expect([...found.rgb]).toEqual(expectedRgb(options, palette));
      }),
      { numRuns: 300 },
    );
  });

  it("of huge pixels is refused before it is unpacked, and so is one whose pixels do not fit its size", async () => {
    const huge = pngOf({
      width: 1,
      height: 1,
      colour: 0,
      depth: 8,
      samples: [0],
      claim: { width: 60_000, height: 60_000 },
    });
    expect(await refusal(decodeImage(huge, "x", defaultLimits))).toMatchObject({ field: "imageSide" });
    const large = pngOf({
      width: 1,
      height: 1,
      colour: 0,
      depth: 8,
      samples: [0],
      claim: { width: 16_000, height: 16_000 },
    });
    expect(await refusal(decodeImage(large, "x", defaultLimits))).toMatchObject({ field: "imagePixels" });
    const bomb = pngOf({
      width: 1,
      height: 1,
      colour: 0,
      depth: 8,
      samples: [0],
      pixels: deflateSync(new Uint8Array(50_000_000)),
    });
    expect((await refusal(decodeImage(bomb, "x", defaultLimits))).message).toContain("do not unpack to its size");
    const short = pngOf({ width: 1, height: 1, colour: 0, depth: 8, samples: [0], claim: { width: 9, height: 9 } });
    expect((await refusal(decodeImage(short, "x", defaultLimits))).message).toContain("fewer pixels than its size");
  });
});

describe("a JPEG", () => {
  const grey = (width: number, height: number, value: number) =>
    ({ data: new Uint8ClampedArray(width * height * 4).fill(value), width, height }) as Parameters<
      typeof encodeJpeg
    >[0];

  it.each([true, false])("decodes to what was written, nearly (progressive: %s)", async (progressive) => {
    const jpeg = new Uint8Array(await encodeJpeg(grey(20, 10, 120), { progressive, quality: 95 }));
    const { width, height, rgb } = await decodeImage(jpeg, "x.jpg", defaultLimits);
    expect([width, height]).toEqual([20, 10]);
    expect(Math.max(...rgb.map((value) => Math.abs(value - 120)))).toBeLessThanOrEqual(2);
  });

  it("that is cut off, claims huge pixels or has scans without end is refused", async () => {
    const jpeg = Buffer.from(await encodeJpeg(grey(64, 64, 120), { progressive: true }));
    expect((await refusal(decodeImage(jpeg.subarray(0, jpeg.length - 30), "x", defaultLimits))).message).toContain(
      "cut off",
    );
    const frame = jpeg.indexOf(Buffer.from([0xff, 0xc2]));
    const huge = Buffer.from(jpeg);
    huge.writeUInt16BE(16_000, frame + 5);
    huge.writeUInt16BE(16_000, frame + 7);
    expect(await refusal(decodeImage(huge, "x", defaultLimits))).toMatchObject({ field: "imagePixels" });
    const scan = jpeg.lastIndexOf(Buffer.from([0xff, 0xda]));
    const again = jpeg.subarray(scan, jpeg.length - 2);
    const bomb = Buffer.concat([jpeg.subarray(0, -2), ...new Array<Buffer>(200).fill(again), jpeg.subarray(-2)]);
    expect(await refusal(decodeImage(bomb, "x", defaultLimits))).toMatchObject({ field: "jpegScans" });
  });

  it("decodes after another one was refused by the decoder", async () => {
    const good = new Uint8Array(await encodeJpeg(grey(8, 8, 10)));
    const bad = Buffer.from(good);
    const table = bad.indexOf(Buffer.from([0xff, 0xc4]));
    bad.fill(0xff, table + 5, table + 21);
    await refusal(decodeImage(bad, "x", defaultLimits));
    expect((await decodeImage(good, "y", defaultLimits)).width).toBe(8);
  });
});

/** What a decoder should make of the samples. */
function expectedRgb({ colour, depth, samples }: PngOptions, palette: readonly number[]): number[] {
  const scale = (sample: number) => (depth === 16 ? sample >> 8 : Math.floor((sample * 255) / (2 ** depth - 1)));
  const channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[colour] as number;
  const rgb: number[] = [];
  for (let at = 0; at < samples.length; at += channels) {
    const first = samples[at] as number;
    if (colour === 3) rgb.push(...palette.slice(first * 3, first * 3 + 3));
    else if (channels >= 3) rgb.push(...samples.slice(at, at + 3).map(scale));
    else rgb.push(scale(first), scale(first), scale(first));
  }
  return rgb;
}
