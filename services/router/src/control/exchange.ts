import type { ClientStream, HeaderFields, ServerCall, Upstream } from "@aimass/h2";
import { refusedTokenHeader } from "@aimass/identity";
import { answerHeaders } from "./forwarded-headers.ts";
import { isStreamingPath } from "./public-services.ts";
import type { ReplayableBody } from "./replayable-body.ts";

/** A service does not take this router's token. */
export class TokenRefused extends Error {}

/** Sends the call to one process and brings its answer back. Throws a TransportError or TokenRefused only as long as nothing was answered. */
export async function exchange(
  call: ServerCall,
  upstream: Upstream,
  headers: HeaderFields,
  body: ReplayableBody,
): Promise<void> {
  const { method, path, authority, signal } = call;
  const stream = upstream.open({ method, path, authority, headers, signal });
  let isCurrent = true;
  const confirm = isEndUnproven(call) ? () => call.confirmBody() : undefined;
  void sendBody(
    stream,
    body.read(() => isCurrent),
    confirm,
  );
  try {
    const { status, headers: answered } = await stream.response;
    if (answered[refusedTokenHeader] !== undefined) {
      stream.reset();
      throw new TokenRefused();
    }
    await bringAnswer(call, stream, status, answered);
    // Whoever is answered in mid-body, by a refusal or at the deadline, ends the rest cleanly: it must not end the request as well.
    if (!body.isEnded) stream.reset();
  } catch (error) {
    isCurrent = false;
    throw error;
  }
}

/** JSON and a framed message show that they were cut short. A lone message in binary, and a stream of messages, end anywhere. */
function isEndUnproven(call: ServerCall): boolean {
  return isStreamingPath(call.path) || call.headers["content-type"]?.startsWith("application/proto") === true;
}

async function sendBody(
  stream: ClientStream,
  chunks: AsyncIterable<Buffer>,
  confirm: (() => Promise<void>) | undefined,
): Promise<void> {
  try {
    for await (const chunk of chunks) await stream.write(chunk);
    await confirm?.();
    stream.end();
  } catch {
    // The caller hung up half-way: without an end before the reset, the service cannot take what it has for the whole.
    stream.reset();
  }
}

async function bringAnswer(
  call: ServerCall,
  stream: ClientStream,
  status: number,
  headers: HeaderFields,
): Promise<void> {
  const writer = call.open(status, answerHeaders(headers));
  try {
    for await (const chunk of stream.chunks()) await writer.write(chunk);
    writer.end(await stream.trailers);
  } catch {
    // The answer has begun; all that is left is to let the caller notice that it is not whole.
    writer.reset();
    stream.reset();
  }
}
