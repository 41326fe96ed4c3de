import { promisify } from "node:util";
import { deflate, gzip } from "node:zlib";
import { inflate } from "@aimass/oip";
import type { Compression } from "@connectrpc/connect/protocol";

/** What clients may compress small calls with; gRPC's and Connect's common encodings. */
export const compressions: Compression[] = [
  {
    name: "gzip",
    compress: promisify<Uint8Array, Uint8Array>(gzip) as Compression["compress"],
    decompress: (bytes, limitBytes) => inflate(bytes, "gzip", limitBytes) as ReturnType<Compression["decompress"]>,
  },
  {
    name: "deflate",
    compress: promisify<Uint8Array, Uint8Array>(deflate) as Compression["compress"],
    decompress: (bytes, limitBytes) => inflate(bytes, "deflate", limitBytes) as ReturnType<Compression["decompress"]>,
  },
];
