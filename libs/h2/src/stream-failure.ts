import { type ClientHttp2Session, type ClientHttp2Stream, constants } from "node:http2";
import { TransportError } from "./transport-error.ts";

/** Why a stream closed without an answer. REFUSED_STREAM, and a stream above GOAWAY's last id, mean "not processed" (RFC 9113, 8.7). */
export function failureOf(stream: ClientHttp2Stream, session: ClientHttp2Session | undefined): TransportError {
  const code = stream.rstCode ?? constants.NGHTTP2_NO_ERROR;
  if (code === constants.NGHTTP2_REFUSED_STREAM)
    return new TransportError("refused", "The peer refused the call before processing it.", false);
  if (stream.id === undefined || stream.pending)
    return new TransportError("not-connected", "The connection went away before the call was sent.", false);
  if (session === undefined || session.destroyed)
    return new TransportError("closed", "The connection was lost during the call.", true);
  return new TransportError("reset", `The peer broke the call off (HTTP/2 error ${code}).`, true);
}
