import { DirectoryService, ListApiKeysRequestSchema, ListUsersRequestSchema } from "@aimass/api/auth";
import type { Principal } from "@aimass/identity";
import { create, type DescMethod } from "@bufbuild/protobuf";
import { createContextValues, createHandlerContext } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { callerKey } from "./caller.ts";
import { readPage } from "./paging.ts";

function contextOf(method: DescMethod, id: string) {
  const principal: Principal = { kind: "user", id, groups: [], roles: [] };
  const values = createContextValues().set(callerKey, {
    principal,
    service: { role: "router", keyId: "k" } as never,
    traceparent: "",
  });
  const { parent: service } = method;
  const call = { protocolName: "grpc", requestMethod: "POST", url: "http://h/", contextValues: values };
  return createHandlerContext({ ...call, service, method } as never);
}

const ada = contextOf(DirectoryService.method.listUsers, "user:ada");
const users = (page: { size?: number; token?: string } = {}) => create(ListUsersRequestSchema, { page });

describe("a page of a list", () => {
  it.each([
    [0, 100],
    [1, 1],
    [1000, 1000],
    [1001, 1000],
    [2_147_483_647, 1000],
  ])("of %i has %i items at most", (asked, size) => {
    expect(readPage(ada, users({ size: asked }))).toMatchObject({ size, after: undefined });
  });

  it("of fewer than none is refused", () => {
    const refused = expect.objectContaining({ code: "INVALID_ARGUMENT", field: "page.size" });
    expect(() => readPage(ada, users({ size: -1 }))).toThrow(refused);
  });

  it("goes on where the one before ended, with another size too", () => {
    const token = readPage(ada, users({ size: 2 })).tokenOf(["bob"]);
    expect(readPage(ada, users({ size: 9, token }))).toMatchObject({ size: 9, after: ["bob"] });
    expect(readPage(ada, users()).tokenOf(undefined)).toBe("");
  });

  it("follows no token of another list, filter or person, and none that was changed", () => {
    const keys = contextOf(DirectoryService.method.listApiKeys, "user:ada");
    const keysOf = (principal: string, token = "") => create(ListApiKeysRequestSchema, { principal, page: { token } });
    const token = readPage(ada, users()).tokenOf(["bob"]);
    const filtered = readPage(keys, keysOf("user:ada")).tokenOf(["k1"]);
    const bob = contextOf(DirectoryService.method.listUsers, "user:bob");
    const other = Buffer.from(Buffer.from(token, "base64url").toString().replace("bob", "eve")).toString("base64url");
    expect(readPage(keys, keysOf("user:ada", filtered)).after).toEqual(["k1"]);
    for (const read of [
      () => readPage(keys, keysOf("user:ada", token)),
      () => readPage(keys, keysOf("service-account:ci", filtered)),
      () => readPage(bob, users({ token })),
      () => readPage(ada, users({ token: other })),
      () => readPage(ada, users({ token: "%%%" })),
      () => readPage(ada, users({ token: Buffer.from('["bob"]').toString("base64url") })),
      () => readPage(ada, users({ token }), 2),
    ])
      expect(read).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", field: "page.token" }));
  });
});
