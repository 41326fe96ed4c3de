import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { RgbImage } from "../columns.ts";
import { FeatureFit } from "../feature-fit.ts";
import { Features } from "../features.ts";
import type { ImageFeature } from "../plan.ts";
import { batchOf, elementsOf, images, skew } from "../testing.ts";

const side = fc.integer({ min: 1, max: 40 });
const spec = fc.record({
  kind: fc.constant("image" as const),
  column: fc.constant("picture"),
  size: fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 })),
  channels: fc.constantFrom("rgb" as const, "grey" as const),
  scale: fc.constantFrom("unit" as const, "standard" as const),
  histogram: fc.constantFrom(0, 1, 4, 7, 256),
}) satisfies fc.Arbitrary<ImageFeature>;
const columns = [{ name: "picture", type: "image" as const }];

/** One to four images of one size, of noise or of one colour. */
const pictures = fc
  .tuple(side, side, fc.array(fc.nat(), { minLength: 1, maxLength: 4 }))
  .map(([width, height, seeds]) => seeds.map((seed) => ({ width, height, rgb: pixels(width * height * 3, seed) })));

function pixels(bytes: number, seed: number): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length: bytes }, () => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    return seed % 5 === 0 ? seed : state >>> 24;
  });
}

function fitted(feature: ImageFeature, seen: readonly RgbImage[]): Features {
  const fit = new FeatureFit({ columns, features: [feature] });
  fit.add(batchOf({ picture: images(seen) }));
  return fit.finish();
}

describe("images in training and in serving", () => {
  it("become the same features, whatever their size", async () => {
    await fc.assert(
      fc.asyncProperty(spec, pictures, pictures, async (feature, seen, unseen) => {
        const features = fitted(feature, seen);
        const again = Features.fromJson(JSON.parse(JSON.stringify(features.toJson())));
        const tolerance = feature.scale === "unit" ? 1e-6 : 1e-5;
        expect(await skew(features, batchOf({ picture: images(seen) }), tolerance)).toEqual([]);
        expect(await skew(again, batchOf({ picture: images(unseen) }), tolerance)).toEqual([]);
      }),
      { numRuns: 60, endOnFailure: true },
    );
  }, 120_000);

  it("may differ by no more than they say", async () => {
    await fc.assert(
      fc.asyncProperty(spec, pictures, async (feature, seen) => {
        const features = fitted(feature, seen);
        const tolerance = Math.max(...(features.tolerances ?? []));
        expect(await skew(features, batchOf({ picture: images(seen) }), tolerance)).toEqual([]);
      }),
      { numRuns: 60, endOnFailure: true },
    );
  }, 120_000);

  it("of several sizes are brought to one", () => {
    const red = (width: number, height: number) => ({
      width,
      height,
      rgb: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i % 3 === 0 ? 255 : 0)),
    });
    const batch = batchOf({ picture: images([red(3, 5), red(64, 2)]) });
    const features = fitted({ kind: "image", column: "picture", size: [1, 2], histogram: 2 }, [red(1, 1)]);
    const row = [1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 1, 0];
    expect([...elementsOf(features.transform(batch))]).toEqual([...row, ...row]);
    expect(features.featureNames[4]).toBe("picture[0,1,green]");
    expect(features.featureNames[7]).toBe("picture:red#1");
  });

  it("that are missing or torn are named by column and row", () => {
    const whole = { width: 1, height: 1, rgb: new Uint8Array(3) };
    const torn = { width: 2, height: 2, rgb: new Uint8Array(11) };
    const features = fitted({ kind: "image", column: "picture" }, [whole]);
    expect(() => features.transform(batchOf({ picture: images([whole, torn]) }, 100))).toThrow(
      'Column "picture", row 102, has 11 bytes for 2 × 2 pixels.',
    );
    expect(() => features.transform(batchOf({ picture: images([undefined]) }, 7))).toThrow(
      'Column "picture", row 8, has no image.',
    );
  });
});
