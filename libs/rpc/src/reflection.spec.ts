import { Health } from "@aimass/api/health";
import {
  ServerReflection,
  ServerReflectionRequestSchema,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "@aimass/api/reflection";
import { ModelService } from "@aimass/api/registry";
import { systemClock } from "@aimass/core";
import { generateMeshIdentity, ServiceIdentity } from "@aimass/identity";
import { silentTelemetry } from "@aimass/telemetry";
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RpcServer, serveRpc } from "./rpc-server.ts";

const { identities, trust } = generateMeshIdentity(["registry"]);
const identity = new ServiceIdentity(
  identities.get("registry") as NonNullable<ReturnType<typeof identities.get>>,
  trust,
  systemClock,
);
let server: RpcServer;
let client: Client;

beforeAll(async () => {
  const listen = { host: "127.0.0.1", port: 0 };
  const base = { name: "registry", listen, identity, telemetry: silentTelemetry(), clock: systemClock };
  server = await serveRpc({ ...base, services: [ModelService], routes: (router) => router.service(ModelService, {}) });
  client = new Client(`127.0.0.1:${server.address.port}`, credentials.createInsecure());
});

afterAll(async () => {
  client.close();
  await server.drain(0);
});

type Question = Parameters<typeof create<typeof ServerReflectionRequestSchema>>[1];

/** What grpcurl does: plain grpc-js, one stream, several questions. */
async function ask(version: string, ...questions: Question[]) {
  const metadata = new Metadata();
  metadata.set("aimass-service", identity.token());
  const call = client.makeBidiStreamRequest(
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => fromBinary(ServerReflectionResponseSchema, bytes),
    metadata,
  );
  for (const q of questions) {
    call.write(Buffer.from(toBinary(ServerReflectionRequestSchema, create(ServerReflectionRequestSchema, q))));
  }
  call.end();
  const answers: ServerReflectionResponse["messageResponse"][] = [];
  for await (const answer of call) answers.push((answer as ServerReflectionResponse).messageResponse);
  return answers;
}

describe.each(["v1", "v1alpha"])("reflection %s", (version) => {
  it("lists the services and describes one well enough to rebuild it", async () => {
    const [list, file] = await ask(
      version,
      { messageRequest: { case: "listServices", value: "" } },
      { messageRequest: { case: "fileContainingSymbol", value: ModelService.typeName } },
    );
    if (list?.case !== "listServicesResponse" || file?.case !== "fileDescriptorResponse") return expect.fail();
    const names = list.value.service.map((s) => s.name);
    expect(names).toEqual(expect.arrayContaining([ModelService.typeName, Health.typeName, ServerReflection.typeName]));
    const files = file.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes));
    const set = create(FileDescriptorSetSchema, { file: files.reverse() });
    const registry = createFileRegistry(set);
    expect(registry.getService(ModelService.typeName)?.methods.length).toBe(ModelService.methods.length);
  });

  it("says what it does not have", async () => {
    const [answer] = await ask(version, { messageRequest: { case: "fileByFilename", value: "nothing.proto" } });
    expect(answer).toMatchObject({ case: "errorResponse", value: { errorCode: 5 } });
  });
});
