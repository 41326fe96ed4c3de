import { AimassError } from "@aimass/core/errors";
import type { DescService } from "@bufbuild/protobuf";
import { type Client, createClient } from "@connectrpc/connect";
import { Connection, type MeshOptions } from "./connection.ts";
import { Model, type ModelShape } from "./model.ts";

/** A mesh at an address such as "http://127.0.0.1:5000" or, in a page that it serves itself, `location.origin`. Nothing is sent yet. */
export function connect(server: string, options: MeshOptions = {}): Mesh {
  if (!/^https?:\/\/[^/]/.test(server)) {
    throw new AimassError("INVALID_ARGUMENT", `"${server}" is not the URL of a server.`, {
      remedy: "Write it like http://127.0.0.1:5000.",
    });
  }
  return new Mesh(new Connection(server.replace(/\/+$/, ""), options));
}

/** What is called of a mesh: its models, and every API of its contracts. */
export class Mesh {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** A deployed model: "fraud", or "risk.fraud" in another project than "default". `Shape`: what `aimass models types` writes of it. */
  model<Shape extends ModelShape = ModelShape>(name: string): Model<Shape> {
    return new Model(this.#connection, name);
  }

  /** Calls any service of `@aimass/client/api/…`; calls reject with a ConnectError, which `errorOf` makes readable. */
  client<S extends DescService>(service: S): Client<S> {
    return createClient(service, this.#connection.transport);
  }
}
