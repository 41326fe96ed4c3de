import { createHash, randomBytes } from "node:crypto";
import { FileArtifactStore, type Upload } from "@aimass/artifacts";
import { systemClock } from "@aimass/core";
import { openStore, type Store } from "@aimass/store";
import { createTestDatabase, type TempDirectory, type TestDatabase, tempDirectory, waitFor } from "@aimass/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Database } from "../database.ts";
import { migrations } from "../migrations/index.ts";
import type { Reader } from "../reader.ts";
import { ArtifactAccess, lockArtifact } from "./artifact-access.ts";
import { UploadCompletion } from "./upload-completion.ts";

const ada: Reader = { principal: "user:ada", isService: false, mayUpload: () => true, may: () => false };

let database: TestDatabase;
let directory: TempDirectory;
let store: Store<Database>;
let artifacts: FileArtifactStore;
let completion: UploadCompletion;

beforeEach(async () => {
  database = await createTestDatabase();
  directory = await tempDirectory();
  store = await openStore<Database>({ url: database.url, schema: "registry", migrations });
  artifacts = new FileArtifactStore({ directory: directory.path });
  completion = new UploadCompletion({
    artifacts,
    access: new ArtifactAccess({ store, artifacts, clock: systemClock, uploaderMs: 3_600_000 }),
  });
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await database.drop();
  await directory[Symbol.asyncDispose]();
});

async function wholeUpload(): Promise<Upload> {
  const bytes = randomBytes(100);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const upload = await artifacts.begin({ sha256, sizeBytes: 100, owner: "user:ada default" });
  await artifacts.append(upload.id, 0, bytes);
  return { ...upload, receivedBytes: 100 };
}

describe("an upload completed by two at once", () => {
  it("is complete for the second, even while the first is not yet written down as its reader", async () => {
    const upload = await wholeUpload();
    const release = Promise.withResolvers<void>();
    const taken = Promise.withResolvers<void>();
    const holding = store.withTransaction(async (tx) => {
      await lockArtifact(tx, upload.sha256);
      taken.resolve();
      await release.promise;
    });
    await taken.promise;
    const first = completion.complete(ada, upload);
    await waitFor(async () => (await artifacts.has(upload.sha256)) !== undefined);
    const second = completion.complete(ada, upload);
    const third = second.then(() => completion.complete(ada, upload));
    setTimeout(() => release.resolve(), 300);
    const done = { complete: true, receivedBytes: 100n };
    expect(await Promise.all([first, second, third])).toEqual([done, done, done]);
    await holding;
  });

  it("is not found by who may not read what it became", async () => {
    const upload = await wholeUpload();
    await completion.complete(ada, upload);
    const bob: Reader = { ...ada, principal: "user:bob" };
    await expect(completion.complete(bob, upload)).rejects.toMatchObject({ reason: "UPLOAD_NOT_FOUND" });
  });
});
