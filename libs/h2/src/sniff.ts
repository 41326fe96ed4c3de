import type { Socket } from "node:net";

/** The first bytes of HTTP/2's connection preface (RFC 9113, 3.4); no HTTP/1.1 method begins like this. */
const prefaceStart = Buffer.from("PRI", "latin1");

/** Tells HTTP/2 from HTTP/1.1 by a connection's first bytes and gives them back to the socket. Destroys a connection that says nothing in time. */
export function sniffProtocol(socket: Socket, timeoutMs: number, found: (protocol: "h2" | "http/1.1") => void): void {
  let seen: Buffer = Buffer.alloc(0);
  const timeout = setTimeout(() => socket.destroy(), timeoutMs);
  const onClose = () => clearTimeout(timeout);
  const onData = (chunk: Buffer) => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const compared = Math.min(seen.length, prefaceStart.length);
    const mayBeHttp2 = prefaceStart.compare(seen, 0, compared, 0, compared) === 0;
    if (mayBeHttp2 && seen.length < prefaceStart.length) return;
    socket.off("data", onData);
    socket.off("close", onClose);
    clearTimeout(timeout);
    socket.pause();
    socket.unshift(seen);
    found(mayBeHttp2 ? "h2" : "http/1.1");
    if (!mayBeHttp2) socket.resume();
  };
  socket.on("data", onData);
  socket.once("close", onClose);
}
