#!/usr/bin/env bash
# @connectrpc/connect-node 2.2.0 (the newest on 2026-11-29), on Node 20.20 and Node 24.21, Linux x64.
#
# Guess: the promise of universalResponseToNodeResponse resolves once the answer is written.
# Seen: it never settles after a whole answer that its client has read, over HTTP/2 and over HTTP/1.1: it waits for "end" of a response of Node, which, being
# written to, emits "finish" and "close" and no "end". It rejects where writing fails.
# So: what is held for a call is let go when its stream closes, and not behind that promise.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @connectrpc/connect@2.2.0 @connectrpc/connect-node@2.2.0 @bufbuild/protobuf@2.17.0
cat > answers.mjs <<'JS'
import { createServer as createHttp1, request } from "node:http";
import { connect, createServer as createHttp2 } from "node:http2";
import { universalResponseToNodeResponse } from "@connectrpc/connect-node";

const listen = (server) => new Promise((done) => server.listen(0, "127.0.0.1", () => done(server.address().port)));
const read = async (stream) => { let text = ""; for await (const piece of stream) text += piece; return text; };

/** What became of the promise two seconds after the client had the whole answer, and the events of the response. */
async function outcome(createServer, call) {
  let settled = "pending";
  const events = [];
  const server = createServer((_, response) => {
    for (const event of ["finish", "end", "close"]) response.on(event, () => events.push(event));
    const body = (async function* () { yield new TextEncoder().encode("whole"); })();
    const answer = { status: 200, header: new Headers({ "content-type": "text/plain" }), body };
    universalResponseToNodeResponse(answer, response).then(() => { settled = "resolved"; }, () => { settled = "rejected"; });
  });
  const text = await call(await listen(server));
  await new Promise((done) => setTimeout(done, 2000));
  server.close();
  return `${text} ${settled} ${events.sort().join()}`;
}

const one = await outcome(createHttp1, (port) =>
  new Promise((done) => request({ host: "127.0.0.1", port, agent: false }, (answer) => done(read(answer))).end()));
const two = await outcome(createHttp2, async (port) => {
  const session = connect(`http://127.0.0.1:${port}`);
  const text = await read(session.request({ ":path": "/" }));
  session.close();
  return text;
});
console.log(`${process.version}: HTTP/1.1 ${one}, HTTP/2 ${two}`);
process.exit([one, two].every((seen) => seen === "whole pending close,finish") ? 0 : 1);
JS
node answers.mjs
