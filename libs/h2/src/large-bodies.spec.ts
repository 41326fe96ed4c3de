import { systemClock } from "@aimass/core";
import { expect, it } from "vitest";
import { listen, Upstream } from "./index.ts";

it("carries many large bodies both ways at once over one connection, without the two sides waiting for each other", async () => {
  const listener = await listen({
    listen: { host: "127.0.0.1", port: 0 },
    handler: (call) => void call.body(1 << 30).then((body) => call.respond({ status: 200, headers: {}, body })),
  });
  const upstream = new Upstream({ address: listener.address, clock: systemClock, deadAfterMs: 60_000 });
  while (upstream.state !== "ready") await systemClock.sleep(5);
  const body = Buffer.alloc(3 * 1024 * 1024, 7);
  let bytes = 0;
  const lane = async () => {
    for (let i = 0; i < 6; i++) {
      const answer = await upstream.unary({ path: "/", headers: {}, body });
      bytes += answer.body.length;
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
  expect(bytes).toBe(16 * 6 * body.length);
  upstream.close();
  await listener.drain(0);
});
