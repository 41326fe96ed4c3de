import { workInLane } from "./thread-lane.ts";

/** Takes some milliseconds to say a number again. */
workInLane(({ value, ms }: { value: number; ms: number }) => {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  return { answer: value, buffers: [] };
});
