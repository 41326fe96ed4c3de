/** Reads large bodies and writes large answers one after the other, so that the thread with the sockets never waits for one. */
import { workInLane } from "@aimass/core";
import { buffersOf, type CodecAsk, type CodecReply } from "./codec-messages.ts";
import { rank } from "./ranking.ts";
import { readAndCheck } from "./read-call.ts";
import { writeAnswer } from "./write-answer.ts";

workInLane((ask: CodecAsk): { answer: CodecReply; buffers: ArrayBuffer[] } => {
  if ("write" in ask) {
    const { headers, body } = writeAnswer(ask.write);
    const own = alone(body);
    return { answer: { written: { headers, body: own } }, buffers: buffersOf([own]) };
  }
  if ("rank" in ask) {
    const ranked = ask.rank.map(rank).map((tensor) => ({ ...tensor, bytes: alone(tensor.bytes) }));
    return { answer: { ranked }, buffers: buffersOf(ranked.map(({ bytes }) => bytes)) };
  }
  const read = readAndCheck(ask.read, ask.plan);
  return { answer: { read }, buffers: buffersOf(read.request.inputs.map(({ bytes }) => bytes)) };
});

/** Small buffers are parts of Node's pool, which cannot change hands. */
function alone(bytes: Uint8Array): Uint8Array {
  return bytes.buffer.byteLength === bytes.byteLength ? bytes : new Uint8Array(bytes);
}
