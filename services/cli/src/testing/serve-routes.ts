import { once } from "node:events";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Connection } from "../client/connection.ts";

/** A server of some RPCs on this machine, for what a mesh does too rarely to wait for. */
export async function serveRoutes(
  routes: (router: ConnectRouter) => void,
): Promise<AsyncDisposable & { readonly url: string; readonly connection: Connection }> {
  const server = createServer(connectNodeAdapter({ routes }));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connection = new Connection(url, { kind: "none" });
  return {
    url,
    connection,
    async [Symbol.asyncDispose]() {
      connection[Symbol.dispose]();
      server.close();
      await once(server, "close");
    },
  };
}
