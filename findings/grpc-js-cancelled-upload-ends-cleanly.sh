#!/usr/bin/env bash
# @grpc/grpc-js 1.14.7 (the newest on 2026-11-29), on Node 20.20 and Node 24.21, Linux x64.
#
# Guess: a client that cancels a client-streaming call in mid-upload is seen by the server as a cancellation.
# Seen: the server's stream first emits 'end', as if the client had said everything, with `cancelled` still false; 'cancelled' comes later.
# 20 of 20 calls. A server that acts on 'end' takes half an upload for a whole one.
# So: an upload must prove its own end, by a length or a digest that the client sends.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @grpc/grpc-js@1.14.7
cat > cancelled.mjs <<'JS'
import grpc from "@grpc/grpc-js";

const bytes = (value) => value;
const types = { requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes };
const service = { Write: { path: "/finding.Uploads/Write", requestStream: true, responseStream: false, ...types } };
const calls = [];
const server = new grpc.Server();
server.addService(service, {
  Write(call, answer) {
    const events = [];
    calls.push(events);
    call.on("data", () => events.push("data"));
    call.on("end", () => { events.push(call.cancelled ? "end while cancelled" : "end"); answer(null, Buffer.alloc(0)); });
    call.on("cancelled", () => events.push("cancelled"));
  },
});
const port = await new Promise((done, failed) =>
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? failed(error) : done(bound))));
const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
for (let times = 0; times < 20; times++) {
  const call = client.makeClientStreamRequest("/finding.Uploads/Write", bytes, bytes, () => {});
  call.write(Buffer.alloc(1000));
  await pause(30);
  call.cancel();
  await pause(30);
}
client.close();
server.forceShutdown();
const whole = calls.filter((events) => events.join() === "data,end,cancelled").length;
console.log(`${whole} of ${calls.length} cancelled uploads ended cleanly before they were cancelled`);
process.exit(whole === 20 && calls.length === 20 ? 0 : 1);
JS
node cancelled.mjs
