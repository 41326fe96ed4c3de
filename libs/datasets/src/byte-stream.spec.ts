import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { PieceStream } from "./byte-stream.ts";

it("pieces that cannot be ended in order end quietly when their stream is closed", async () => {
  async function* pieces(): AsyncGenerator<Buffer, void> {
    try {
      yield Buffer.from("abc");
      yield Buffer.from("def");
    } finally {
      // biome-ignore lint/correctness/noUnsafeFinally: this is what is tried
      throw new Error("the file is gone");
    }
  }
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", note);
  try {
    const stream = new PieceStream(pieces());
    expect(String(await stream.read(3, undefined))).toBe("abc");
    stream.close();
    await setImmediate();
    expect(stream.ended).toBe(true);
    expect(unhandled).toEqual([]);
  } finally {
    process.off("unhandledRejection", note);
  }
});
