#!/usr/bin/env bash
# @grpc/grpc-js 1.14.7 as client, @connectrpc/connect-node 2.2.0 and @grpc/grpc-js 1.14.7 as servers (the newest on 2026-11-29), Node 20.20 and 24.21.
#
# Guess: a client whose service config retries UNAVAILABLE (maxAttempts 4) calls a server that answers UNAVAILABLE four times, whoever wrote the server.
# Seen: grpc-js' own server is called four times, a Connect server once. Connect sends response headers before the status, and a call whose headers have come
# is committed (gRFC A6); grpc-js' server sends the status alone ("Trailers-Only").
# So: behind Connect servers a retry policy repeats only what got no answer at all; a refusal that should be repeated needs the caller's own loop.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @grpc/grpc-js@1.14.7 @connectrpc/connect@2.2.0 @connectrpc/connect-node@2.2.0 @bufbuild/protobuf@2.17.0
cat > retry.mjs <<'JS'
import { createServer } from "node:http2";
import { create, createFileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, file_google_protobuf_empty } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import grpc from "@grpc/grpc-js";

const empty = ".google.protobuf.Empty";
const file = create(FileDescriptorProtoSchema, {
  name: "finding.proto", package: "finding", syntax: "proto3", dependency: ["google/protobuf/empty.proto"],
  service: [{ name: "Service", method: [{ name: "Get", inputType: empty, outputType: empty }] }],
});
const service = createFileRegistry(file, (name) => (name.endsWith("empty.proto") ? file_google_protobuf_empty : undefined)).getService("finding.Service");

const calls = { connect: 0, grpc: 0 };
const routes = (router) => router.service(service, { get() { calls.connect++; throw new ConnectError("busy", Code.Unavailable); } });
const connect = createServer(connectNodeAdapter({ routes }));
await new Promise((done) => connect.listen(0, "127.0.0.1", done));

const bytes = (value) => value;
const types = { requestSerialize: bytes, requestDeserialize: bytes, responseSerialize: bytes, responseDeserialize: bytes };
const server = new grpc.Server();
server.addService(
  { Get: { path: "/finding.Service/Get", requestStream: false, responseStream: false, ...types } },
  { Get(_, answer) { calls.grpc++; answer({ code: grpc.status.UNAVAILABLE, details: "busy" }); } },
);
const port = await new Promise((done, failed) =>
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? failed(error) : done(bound))));

const retryPolicy = { maxAttempts: 4, initialBackoff: "0.01s", maxBackoff: "0.02s", backoffMultiplier: 1, retryableStatusCodes: ["UNAVAILABLE"] };
const config = JSON.stringify({ methodConfig: [{ name: [{}], retryPolicy }] });
const call = (at) => new Promise((done) => {
  const client = new grpc.Client(`127.0.0.1:${at}`, grpc.credentials.createInsecure(), { "grpc.service_config": config });
  client.makeUnaryRequest("/finding.Service/Get", bytes, bytes, Buffer.alloc(0), (error) => { client.close(); done(error?.code); });
});
const codes = [await call(connect.address().port), await call(port)];
connect.close();
server.forceShutdown();
console.log(`UNAVAILABLE (${codes}) after ${calls.connect} call of the Connect server and ${calls.grpc} of grpc-js' own`);
process.exit(codes.join() === "14,14" && calls.connect === 1 && calls.grpc === 4 ? 0 : 1);
JS
node retry.mjs
