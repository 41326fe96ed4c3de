import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pythonWith } from "@aimass/testkit";

const home = join(import.meta.dirname, "moto");

/** moto's server of S3, which others wrote: in memory, with the limits of AWS, asked here without any code of ours. */
export interface MotoServer extends AsyncDisposable {
  readonly endpoint: string;
  /** An empty bucket under a name nobody had. */
  makeBucket(): Promise<string>;
  /** Keys of all objects of a bucket. */
  keys(bucket: string): Promise<string[]>;
  /** Multipart uploads that were begun and neither completed nor aborted. */
  openMultiparts(bucket: string): Promise<number>;
}

/**
 * Starts it on a loopback port; it ends with this process. Pages have two keys, so that going on is exercised; all parts of an object but the last must have
 * `minPartBytes`, as they must have 5 MiB on AWS.
 */
export async function startMoto(minPartBytes: number): Promise<MotoServer> {
  const python = pythonWith("moto", join(home, "requirements.txt"));
  const env = { ...process.env, MOTO_S3_DEFAULT_MAX_KEYS: "2", S3_UPLOAD_PART_MIN_SIZE: String(minPartBytes) };
  const server = spawn(python, [join(home, "serve.py")], { stdio: ["pipe", "pipe", "ignore"], env });
  const ended = once(server, "close");
  const [endpoint] = (await once(createInterface(server.stdout), "line", { signal: AbortSignal.timeout(60_000) })) as [
    string,
  ];
  let buckets = 0;
  const all = async (path: string, tag: string) => {
    const answer = await fetch(`${endpoint}/${path}`);
    return [...(await answer.text()).matchAll(new RegExp(`<${tag}>([^<]*)</${tag}>`, "g"))].map(
      (match) => match[1] ?? "",
    );
  };
  return {
    endpoint,
    async makeBucket() {
      buckets += 1;
      await fetch(`${endpoint}/bucket-${buckets}`, { method: "PUT" });
      return `bucket-${buckets}`;
    },
    keys: (bucket) => all(`${bucket}?list-type=2&max-keys=1000`, "Key"),
    openMultiparts: async (bucket) => (await all(`${bucket}?uploads`, "UploadId")).length,
    async [Symbol.asyncDispose]() {
      server.stdin.end();
      await ended;
    },
  };
}
