import { connect as connectHttp2 } from "node:http2";
import { AccessService, DirectoryService } from "@aimass/api/auth";
import { ArtifactService, ModelService } from "@aimass/api/registry";
import { systemClock } from "@aimass/core";
import { generateMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { silentTelemetry } from "@aimass/telemetry";
import { grpcStatusOf } from "@aimass/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type RpcServer, serveRpc } from "./rpc-server.ts";

const mesh = generateMeshIdentity(["auth", "router"]);
const identity = (role: string) => new ServiceIdentity(mesh.identities.get(role) as never, mesh.trust, systemClock);
let server: RpcServer;
/** What the service was asked to do. */
let asked: string[] = [];

beforeAll(async () => {
  server = await serveRpc({
    name: "auth",
    listen: { host: "127.0.0.1", port: 0 },
    identity: identity("auth"),
    telemetry: silentTelemetry(),
    clock: systemClock,
    services: [DirectoryService, AccessService, ModelService, ArtifactService],
    routes: (router) =>
      router
        .service(DirectoryService, {
          createApiKey: ({ description }) => ({ secret: String(asked.push(description)) }),
        })
        .service(AccessService, {
          putGrant: ({ grant }) => ({ grant: { id: `${grant?.subject} ${asked.push("grant")}` } }),
        })
        .service(ModelService, { getModel: ({ name }) => ({ model: { name } }) })
        .service(ArtifactService, {
          async writeUpload(requests) {
            for await (const _ of requests) asked.push("chunk");
            return {};
          },
          async *readArtifact() {
            yield { chunk: new Uint8Array(asked.push("read")) };
          },
        }),
  });
});
beforeEach(() => {
  asked = [];
});
afterAll(() => server.drain(0));

const createApiKey = "/aimass.auth.v1.DirectoryService/CreateApiKey";

async function send(path: string, type: string, body?: string | Buffer) {
  const session = connectHttp2(`http://127.0.0.1:${server.address.port}`);
  try {
    const stream = session.request({
      ":method": body === undefined ? "GET" : "POST",
      ":path": path,
      ...(body !== undefined && { "content-type": type }),
      te: "trailers",
      "aimass-service": identity("router").token(),
    });
    stream.end(body);
    const grpcStatus = type === "application/grpc+json" ? grpcStatusOf(stream) : undefined;
    let status = 0;
    let grpcMessage = "";
    stream.on("response", (headers) => {
      status = Number(headers[":status"]);
      grpcMessage = decodeURIComponent(String(headers["grpc-message"] ?? ""));
    });
    stream.on("trailers", (trailers) => {
      grpcMessage = decodeURIComponent(String(trailers["grpc-message"] ?? grpcMessage));
    });
    const chunks: Buffer[] = [];
    if (grpcStatus === undefined) for await (const chunk of stream) chunks.push(chunk as Buffer);
    return { text: Buffer.concat(chunks).toString(), grpc: await grpcStatus, status, grpcMessage };
  } finally {
    session.destroy();
  }
}

function frame(text: string): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([prefix, Buffer.from(text)]);
}

describe("a request in JSON with a field that its message has not", () => {
  it("is refused before anything is done, with the field that was meant", async () => {
    const { status, text } = await send(createApiKey, "application/json", '{"description":"ci","expiresAtt":"2027"}');
    expect(status).toBe(400);
    const { code, message, details } = JSON.parse(text);
    expect(code).toBe("invalid_argument");
    expect(message).toContain('CreateApiKeyRequest has no field "expiresAtt". Did you mean expiresAt?');
    expect(message).toContain("bring the server up to date");
    expect(details[0].debug).toMatchObject({ reason: "UNKNOWN_FIELD", field: "expiresAtt" });
    expect(asked).toEqual([]);
  });

  it("is refused with all fields there are where none is near", async () => {
    const { text } = await send(createApiKey, "application/json", '{"zzz":1}');
    expect(JSON.parse(text).message).toMatch(/has no field "zzz"\. Its fields: .*description.*expiresAt/);
  });

  it("is refused for a message inside the message, named by its own type", async () => {
    const body = '{"grant":{"subject":"user:ada","expires":"2027-01-01T00:00:00Z"}}';
    const { status, text } = await send("/aimass.auth.v1.AccessService/PutGrant", "application/json", body);
    expect(status).toBe(400);
    expect(JSON.parse(text).message).toContain('Grant has no field "expires". Did you mean expiresAt?');
    expect(asked).toEqual([]);
  });

  it("is refused where it is asked for with GET", async () => {
    const query = new URLSearchParams({ encoding: "json", connect: "v1", message: '{"nam":"x"}' });
    const { status, text } = await send(`/aimass.registry.v1.ModelService/GetModel?${query}`, "");
    expect(status).toBe(400);
    expect(JSON.parse(text).message).toContain('GetModelRequest has no field "nam". Did you mean name?');
  });

  it("is refused in gRPC", async () => {
    const { grpc, grpcMessage } = await send(createApiKey, "application/grpc+json", frame('{"expiry":"2027"}'));
    expect(grpc).toBe("3");
    expect(grpcMessage).toContain('CreateApiKeyRequest has no field "expiry".');
    expect(asked).toEqual([]);
  });

  it("is refused in gRPC-Web", async () => {
    const { text } = await send(createApiKey, "application/grpc-web+json", frame('{"expiry":"2027"}'));
    expect(text).toContain("grpc-status: 3");
    expect(asked).toEqual([]);
  });

  it.each([
    ["stream of requests", "WriteUpload"],
    ["stream of answers", "ReadArtifact"],
  ])("is refused in a %s", async (_, method) => {
    const path = `/aimass.registry.v1.ArtifactService/${method}`;
    const { text } = await send(path, "application/connect+json", frame('{"nothing":1}'));
    const { error } = JSON.parse(text.slice(5));
    expect(error).toMatchObject({ code: "invalid_argument" });
    expect(error.message).toContain(`${method}Request has no field "nothing".`);
    expect(asked).toEqual([]);
  });
});

it.each(["never_expires", "neverExpires"])("a field by a name that JSON has for it goes through: %s", async (name) => {
  const { status } = await send(createApiKey, "application/json", `{"description":"ci","${name}":true}`);
  expect(status).toBe(200);
  expect(asked).toEqual(["ci"]);
});
