import { listen } from "@aimass/h2";
import { afterEach, describe, expect, it } from "vitest";
import { startTestRouter } from "../testing/router-fixture.ts";

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

/** What a console behind a router reads of the scheme that a browser came by. */
async function schemeTold(env: Record<string, string>, sent: Record<string, string>): Promise<string | undefined> {
  const told: (string | undefined)[] = [];
  const console = await listen({
    listen: { host: "127.0.0.1", port: 0 },
    handler: (call) => {
      told.push(call.headers["x-forwarded-proto"]);
      call.respond({ status: 200, headers: {} });
    },
  });
  resources.defer(() => console.drain(0));
  const address = `127.0.0.1:${console.address.port}`;
  const router = resources.use(await startTestRouter({ AIMASS_CONSOLE_ADDRESSES: address, ...env }));
  expect((await fetch(`${router.url}/console/session`, { method: "PUT", headers: sent })).status).toBe(200);
  return told[0];
}

describe("the scheme that a service is told a browser came by", () => {
  it("is not what a stranger writes", async () => {
    expect(await schemeTold({}, { "x-forwarded-proto": "https" })).toBe("http");
  });

  it("is what a trusted proxy writes", async () => {
    const env = { AIMASS_TRUSTED_PROXIES: "127.0.0.0/8" };
    expect(await schemeTold(env, { "x-forwarded-proto": "https" })).toBe("https");
    expect(await schemeTold(env, { "x-forwarded-proto": "http" })).toBe("http");
  });
});
