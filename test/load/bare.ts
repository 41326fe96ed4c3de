import { InferenceSession, Tensor } from "onnxruntime-node";

/** Samples a second of `session.run()` in this process on one thread, one call after the other. */
export async function bareRuns(o: {
  onnx: Uint8Array;
  features: number;
  batch: number;
  seconds: number;
}): Promise<number> {
  const session = await InferenceSession.create(o.onnx, { intraOpNumThreads: 1, interOpNumThreads: 1 });
  const x = new Tensor("float32", new Float32Array(o.batch * o.features).fill(0.5), [o.batch, o.features]);
  for (let i = 0; i < 20; i += 1) await session.run({ x });
  const startedAt = performance.now();
  let runs = 0;
  while (performance.now() - startedAt < o.seconds * 1000) {
    await session.run({ x });
    runs += 1;
  }
  const rate = (runs * o.batch * 1000) / (performance.now() - startedAt);
  await session.release();
  return rate;
}
