import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Connection } from "./connection.ts";
import { untilRouted } from "./until-routed.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A router that gives one answer after the other, the last again and again; what it was asked. */
async function router(...answers: ((response: ServerResponse) => void)[]) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url as string);
    (answers[Math.min(asked.length, answers.length) - 1] as (response: ServerResponse) => void)(response);
  }).listen(0, "127.0.0.1");
  servers.push(server);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { asked, connection: new Connection(`http://127.0.0.1:${port}`, { kind: "none" }) };
}

const ready = (version: string) => (response: ServerResponse) =>
  void response.writeHead(200, { "aimass-version": version }).end('{"ready":true}');
const unknown = (response: ServerResponse) => void response.writeHead(404).end();
const old = (response: ServerResponse) => void response.writeHead(200).end('{"ready":true}');
const { signal } = new AbortController();

describe("a version that the scheduler says serves", () => {
  const aliases = [{ alias: "default", version: 2n }];

  it("is waited for until the router knows the model, and sends calls of the alias there", async () => {
    const { asked, connection } = await router(unknown, ready("1"), ready("2"));
    await untilRouted(connection, "m", { aliases, signal });
    expect(asked).toEqual(Array(3).fill("/v2/models/m/versions/default/ready"));
  });

  it("is not waited for where the router is of an earlier version, or does not answer", async () => {
    const { asked, connection } = await router(old);
    await untilRouted(connection, "m", { aliases, signal });
    expect(asked).toHaveLength(1);
    await untilRouted(new Connection("http://127.0.0.1:9", { kind: "none" }), "m", { aliases, signal });
  });

  it("is not waited for for long by somebody who may not see it", async () => {
    const { connection } = await router(unknown);
    const startedAt = performance.now();
    await untilRouted(connection, "m", { aliases, signal });
    expect(performance.now() - startedAt).toBeLessThan(30_000);
  });
});
