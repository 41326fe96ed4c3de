/** Transcodes what is large, one after the other, so that the thread with the sockets never waits for it. */
import { workInLane } from "@aimass/core";
import { type Transcoding, transcode } from "./transcode.ts";

workInLane(({ what, bytes }: { what: Transcoding; bytes: Uint8Array }) => {
  const answer = new Uint8Array(transcode(what, bytes));
  return { answer, buffers: [answer.buffer] };
});
