import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@aimass/core";
import { describe, expect, it } from "vitest";
import { Connection } from "../client/connection.ts";
import { RowCaller, type RowCallerOptions } from "./row-caller.ts";

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** What a server that answers `/predict` by its rows does, as proxies and meshes in trouble do. */
async function serve(answer: (rows: readonly number[], call: number) => Answer) {
  const calls: number[][] = [];
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const part of request) text += part;
    const rows = (JSON.parse(text) as { inputs: number[] }).inputs;
    const { status, body } = answer(rows, calls.push(rows));
    response.writeHead(status).end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const connection = new Connection(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { kind: "none" });
  return {
    calls,
    caller: (options: Partial<RowCallerOptions> = {}) =>
      new RowCaller({
        ...{ connection, at: { model: "m", version: "" }, exact: false, patienceMs: 5000, stopAtRefusal: false },
        ...{ clock: systemClock, signal: AbortSignal.timeout(20_000), ...options },
      }),
    async [Symbol.asyncDispose]() {
      connection[Symbol.dispose]();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const answered = (rows: readonly number[]): Answer => ({
  status: 200,
  body: JSON.stringify({ predictions: rows.map((row) => row * 10) }),
});
const outcomes = async (caller: RowCaller, rows: readonly string[]) =>
  (await caller.call(rows)).map((result) => (result.kind === "predicted" ? result.entry : result.error.message));

describe("rows that are sent", () => {
  it.each([500, 502, 503, 504, 429, 408])(
    "are sent again after %i, which blames the server, and none is refused",
    async (status) => {
      const page = { status, body: "<html>\n<h1>Something is wrong</h1></html>" };
      await using server = await serve((rows, call) => (call <= 2 ? page : answered(rows)));
      expect(await outcomes(server.caller(), ["1", "2"])).toEqual([10, 20]);
      expect(server.calls).toEqual([
        [1, 2],
        [1, 2],
        [1, 2],
      ]);
    },
  );

  it.each([
    [500, "INTERNAL"],
    [502, "UNAVAILABLE"],
    [501, "UNIMPLEMENTED"],
    [409, "ABORTED"],
  ])("end it with a sentence where the server goes on with %i", async (status, code) => {
    await using server = await serve(() => ({ status, body: "<html>\n</html>" }));
    const message = `The server answered ${status}.`;
    const call = server.caller({ patienceMs: 1000 }).call(["1", "2"]);
    await expect(call).rejects.toMatchObject({ code, message });
  });

  it("are refused one by one where the server blames a row", async () => {
    const refused = { status: 400, body: '{"error": "Row 2 is odd."}' };
    await using server = await serve((rows) => (rows.includes(2) ? refused : answered(rows)));
    expect(await outcomes(server.caller(), ["1", "2", "3"])).toEqual([10, "Row 2 is odd.", 30]);
  });

  it("are filled up where a model takes so many at once, also those that are left of a refused call", async () => {
    const refused = { status: 400, body: '{"error": "A row is odd."}' };
    await using server = await serve((rows) => {
      if (rows.length !== 4) return { status: 400, body: '{"error": "Axis 0 must be 4."}' };
      return rows.includes(2) ? refused : answered(rows);
    });
    const caller = server.caller({ fixedRows: 4 });
    expect(await outcomes(caller, ["5", "6", "7"])).toEqual([50, 60, 70]);
    expect(server.calls).toEqual([[5, 6, 7, 7]]);
    expect(await outcomes(caller, ["1", "2", "3", "4"])).toEqual([10, "A row is odd.", 30, 40]);
  });
});
