import { setTimeout as sleep } from "node:timers/promises";
import { Level, SessionService } from "@aimass/api/auth";
import { ArtifactService, WriteUploadRequestSchema, WriteUploadResponseSchema } from "@aimass/api/registry";
import { systemClock } from "@aimass/core";
import { type RpcServer, serveRpc } from "@aimass/rpc";
import { silentTelemetry } from "@aimass/telemetry";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { Client, credentials } from "@grpc/grpc-js";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { inferGrant, startTestRouter, type TestRouter, testIdentities } from "../testing/router-fixture.ts";

/** How uploads ended at their service. */
const uploads = { whole: 0, cut: 0 };
/** Uploads whose first message has come to the service. */
const begun = new Set<string>();
/** Lengths of the passwords that came. */
const passwords: number[] = [];
/** Uploads that are cancelled, so many at a time: each takes a connection of its own. */
const times = 200;
const together = 8;
const passwordLength = 6 * 1024 * 1024;
let router: TestRouter;
let service: RpcServer;

beforeEach(async () => {
  Object.assign(uploads, { whole: 0, cut: 0 });
  passwords.length = 0;
  begun.clear();
  const identities = testIdentities();
  service = await serveRpc({
    name: "registry",
    listen: { host: "127.0.0.1", port: 0 },
    identity: identities.auth,
    telemetry: silentTelemetry(),
    clock: systemClock,
    services: [ArtifactService, SessionService],
    routes: (routes) =>
      routes
        .service(ArtifactService, {
          async writeUpload(requests) {
            try {
              for await (const { uploadId } of requests) begun.add(uploadId);
              uploads.whole += 1;
            } catch {
              uploads.cut += 1;
            }
            return {};
          },
        })
        .service(SessionService, {
          signIn({ password }) {
            passwords.push(password.length);
            return {};
          },
        }),
  });
  const address = `127.0.0.1:${service.address.port}`;
  router = await startTestRouter({ AIMASS_REGISTRY_ADDRESSES: address, AIMASS_AUTH_ADDRESSES: address }, identities);
  router.grant([inferGrant("anonymous", "*", Level.EDIT)]);
});

afterEach(async () => {
  await router[Symbol.asyncDispose]();
  await service.drain(0);
});

async function repeat(work: (i: number) => Promise<void>): Promise<void> {
  for (let i = 0; i < times; i += together) {
    await Promise.all(Array.from({ length: together }, (_, k) => work(i + k)));
  }
}

/** Chunks without an end. */
async function* endless(uploadId: string, signal: AbortSignal) {
  while (!signal.aborted) {
    yield { uploadId, chunk: new Uint8Array(1000) };
    await sleep(1);
  }
}

function message(uploadId: string): Uint8Array {
  const chunk = new Uint8Array(1000);
  return toBinary(WriteUploadRequestSchema, create(WriteUploadRequestSchema, { uploadId, chunk }));
}

async function hasBegun(uploadId: string): Promise<void> {
  while (!begun.has(uploadId)) await sleep(1);
}

describe("an upload that its client cancels half-way", () => {
  it.each<[string, (baseUrl: string) => Transport]>([
    ["gRPC", (baseUrl) => createGrpcTransport({ baseUrl })],
    ["Connect", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" })],
    ["Connect over HTTP/1.1", (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" })],
  ])("is never whole, by connect-node and %s", async (_, transport) => {
    const client = createClient(ArtifactService, transport(router.url));
    await repeat(async (i) => {
      const cancelling = new AbortController();
      const { signal } = cancelling;
      const call = client.writeUpload(endless(String(i), signal), { signal }).catch(() => {});
      await hasBegun(String(i));
      await sleep(i % 10);
      cancelling.abort();
      await call;
    });
    await expect.poll(() => uploads.cut + uploads.whole, { timeout: 5000 }).toBeGreaterThanOrEqual(begun.size);
    expect(uploads.whole).toBe(0);
  });

  it("is never whole, by grpc-js", async () => {
    const client = new Client(`127.0.0.1:${router.port}`, credentials.createInsecure());
    await repeat(async (i) => {
      const ended = Promise.withResolvers<void>();
      const call = client.makeClientStreamRequest(
        "/aimass.registry.v1.ArtifactService/WriteUpload",
        (bytes: Uint8Array) => Buffer.from(bytes),
        (bytes: Buffer) => fromBinary(WriteUploadResponseSchema, bytes),
        () => ended.resolve(),
      );
      call.on("error", () => {});
      call.write(message(String(i)));
      await hasBegun(String(i));
      for (let sent = 0; sent < 3; sent++) call.write(message(String(i)));
      await sleep(i % 10);
      call.cancel();
      await ended.promise;
    });
    await expect.poll(() => uploads.cut + uploads.whole, { timeout: 5000 }).toBeGreaterThanOrEqual(begun.size);
    expect(uploads.whole).toBe(0);
    client.close();
  });

  it("is never whole when its time runs out, by grpc-js", async () => {
    const client = new Client(`127.0.0.1:${router.port}`, credentials.createInsecure());
    await repeat(async (i) => {
      const ended = Promise.withResolvers<void>();
      const call = client.makeClientStreamRequest(
        "/aimass.registry.v1.ArtifactService/WriteUpload",
        (bytes: Uint8Array) => Buffer.from(bytes),
        (bytes: Buffer) => bytes,
        { deadline: Date.now() + 100 + (i % 40) } as never,
        () => ended.resolve(),
      );
      call.on("error", () => {});
      call.write(message(String(i)));
      await ended.promise;
    });
    await expect.poll(() => uploads.cut + uploads.whole, { timeout: 5000 }).toBeGreaterThanOrEqual(begun.size);
    expect(uploads.whole).toBe(0);
    client.close();
  });
});

describe("a call of one message that its client cancels half-way", () => {
  it.each([true, false])(
    "is never taken for a shorter one, by connect-node, in binary: %s",
    async (useBinaryFormat) => {
      const client = createClient(
        SessionService,
        createConnectTransport({ baseUrl: router.url, httpVersion: "2", useBinaryFormat }),
      );
      const password = "x".repeat(passwordLength);
      for (let i = 0; i < 60; i++) {
        const cancelling = new AbortController();
        const call = client.signIn({ username: "u", password }, { signal: cancelling.signal }).catch(() => {});
        await sleep(i % 12);
        cancelling.abort();
        await call;
      }
      await sleep(300);
      expect(passwords.filter((length) => length !== passwordLength)).toEqual([]);
    },
  );
});
