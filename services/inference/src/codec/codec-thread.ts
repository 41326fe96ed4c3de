/** Reads large bodies and writes large answers one after the other, so that the thread with the sockets never waits for one. */
import { parentPort } from "node:worker_threads";
import { buffersOf, type CodecAsk, type CodecReply, toRefusal } from "./codec-messages.ts";
import { readAndCheck } from "./read-call.ts";
import { writeAnswer } from "./write-answer.ts";

const port = parentPort as NonNullable<typeof parentPort>;

port.on("message", (ask: CodecAsk) => {
  const { reply, buffers } = answer(ask);
  port.postMessage(reply, buffers);
});

function answer(ask: CodecAsk): { reply: CodecReply; buffers: ArrayBuffer[] } {
  try {
    if ("write" in ask) {
      const { headers, body } = writeAnswer(ask.write);
      // Small buffers are parts of Node's pool, which cannot change hands.
      const own = body.buffer.byteLength === body.byteLength ? body : new Uint8Array(body);
      return { reply: { written: { headers, body: own } }, buffers: buffersOf([own]) };
    }
    const read = readAndCheck(ask.read, ask.plan);
    return { reply: { read }, buffers: buffersOf(read.request.inputs.map(({ bytes }) => bytes)) };
  } catch (error) {
    return { reply: { refusal: toRefusal(error) }, buffers: [] };
  }
}
