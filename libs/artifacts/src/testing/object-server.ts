import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** A server that speaks as much of the S3 protocol as the artifacts use: path style, in memory, without checking who asks. */
export interface ObjectServer extends AsyncDisposable {
  readonly endpoint: string;
  /** Bucket-less keys to contents. */
  readonly objects: ReadonlyMap<string, StoredObject>;
  /** Multipart uploads that were begun and neither completed nor aborted. */
  readonly openMultiparts: number;
  /** Total size the server takes before it answers 507. */
  capacityBytes: number;
}

interface StoredObject {
  readonly body: Buffer;
  readonly etag: string;
  readonly modifiedAt: Date;
}

interface Call {
  readonly method: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: Buffer | string;
}

/** Starts an S3-speaking server on a loopback port. */
export async function startObjectServer(): Promise<ObjectServer> {
  const state = new Objects();
  const server = createServer((request, response) => {
    answer(state, request).then(
      (result) => send(response, request.method === "HEAD", result),
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return Object.assign(state, {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

class Objects {
  readonly objects = new Map<string, StoredObject>();
  readonly multiparts = new Map<string, Map<number, Buffer>>();
  capacityBytes = Number.POSITIVE_INFINITY;

  get openMultiparts(): number {
    return this.multiparts.size;
  }

  put(key: string, body: Buffer): Answer {
    const used = [...this.objects.values()].reduce((sum, object) => sum + object.body.length, 0);
    if (used + body.length > this.capacityBytes) return failure(507, "XMinioStorageFull");
    const etag = etagOf(body);
    this.objects.set(key, { body, etag, modifiedAt: new Date() });
    return { status: 200, headers: { etag } };
  }
}

async function answer(state: Objects, request: IncomingMessage): Promise<Answer> {
  const url = new URL(request.url ?? "/", "http://host");
  const path = decodeURIComponent(url.pathname);
  const call: Call = {
    method: request.method ?? "GET",
    key: path.slice(path.indexOf("/", 1) + 1),
    query: url.searchParams,
    headers: request.headers,
    body: await buffer(request),
  };
  if (call.method === "GET" && call.query.get("list-type") === "2") return list(state, call);
  if (call.query.has("uploads") || call.query.has("uploadId")) return multipart(state, call);
  if (call.method === "PUT") return state.put(call.key, call.body);
  if (call.method === "DELETE") {
    state.objects.delete(call.key);
    return { status: 204 };
  }
  return get(state, call);
}

function get(state: Objects, call: Call): Answer {
  const found = state.objects.get(call.key);
  if (found === undefined) return failure(404, "NoSuchKey");
  const range = /^bytes=(\d+)-(\d*)$/.exec(call.headers.range ?? "");
  if (range === null) return { status: 200, headers: { etag: found.etag }, body: found.body };
  const from = Number(range[1]);
  if (from >= found.body.length) return failure(416, "InvalidRange");
  const end = range[2] === "" ? found.body.length : Number(range[2]) + 1;
  return { status: 206, headers: { etag: found.etag }, body: found.body.subarray(from, end) };
}

/** Pages of two, so that going on is exercised. */
function list(state: Objects, call: Call): Answer {
  const keys = [...state.objects.keys()].filter((key) => key.startsWith(call.query.get("prefix") ?? "")).sort();
  const after = call.query.get("continuation-token");
  const rest = after === null ? keys : keys.filter((key) => key > after);
  const page = rest.slice(0, 2);
  const entries = page.map((key) => {
    const object = state.objects.get(key) as StoredObject;
    return `<Contents><Key>${key}</Key><Size>${object.body.length}</Size><ETag>${object.etag}</ETag><LastModified>${object.modifiedAt.toISOString()}</LastModified></Contents>`;
  });
  const next = rest.length > page.length ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
  return xml(
    `<ListBucketResult><IsTruncated>${next !== ""}</IsTruncated>${entries.join("")}${next}</ListBucketResult>`,
  );
}

function multipart(state: Objects, call: Call): Answer {
  if (call.query.has("uploads")) {
    const id = randomUUID();
    state.multiparts.set(id, new Map());
    return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
  }
  const id = call.query.get("uploadId") ?? "";
  const parts = state.multiparts.get(id);
  if (parts === undefined) return failure(404, "NoSuchUpload");
  if (call.method === "PUT") return copyPart(state, call, parts);
  state.multiparts.delete(id);
  if (call.method === "DELETE") return { status: 204 };
  const ordered = [...parts].sort(([left], [right]) => left - right).map(([, body]) => body);
  const put = state.put(call.key, Buffer.concat(ordered));
  return put.status === 200 ? xml("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>") : put;
}

function copyPart(state: Objects, call: Call, parts: Map<number, Buffer>): Answer {
  const source = decodeURIComponent(String(call.headers["x-amz-copy-source"])).replace(/^\//, "");
  const found = state.objects.get(source.slice(source.indexOf("/") + 1));
  if (found === undefined) return failure(404, "NoSuchKey");
  if (call.headers["x-amz-copy-source-if-match"] !== found.etag) return failure(412, "PreconditionFailed");
  parts.set(Number(call.query.get("partNumber")), found.body);
  return xml(`<CopyPartResult><ETag>${found.etag}</ETag></CopyPartResult>`);
}

function xml(body: string): Answer {
  return { status: 200, headers: { "content-type": "application/xml" }, body };
}

function failure(status: number, code: string): Answer {
  return { ...xml(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`), status };
}

function send(response: ServerResponse, headOnly: boolean, result: Answer): void {
  const body = result.body ?? "";
  response.writeHead(result.status, { ...result.headers, "content-length": Buffer.byteLength(body) });
  response.end(headOnly ? undefined : body);
}

function etagOf(body: Buffer): string {
  return `"${createHash("md5").update(body).digest("hex")}"`;
}
