import { systemClock } from "@aimass/core";
import { afterEach, describe, expect, it } from "vitest";
import { type ArtifactLocation, openArtifactStore, openRecordStore } from "./location.ts";

/** A location with whatever is behind it. */
export interface Place extends AsyncDisposable {
  readonly location: ArtifactLocation;
}

/** What every storage of records keeps, whoever wrote what is behind it. */
export function describeRecords(on: string, make: () => Promise<Place>): void {
  describe(`records on ${on}`, () => keepsItsPromises(make));
}

function keepsItsPromises(make: () => Promise<Place>): void {
  let resources = new AsyncDisposableStack();
  afterEach(async () => {
    await resources.disposeAsync();
    resources = new AsyncDisposableStack();
  });

  const open = async () => {
    const { location } = resources.use(await make());
    const records = async (folder = "heads") => resources.use(await openRecordStore(location, folder));
    return { location, records };
  };

  it("are found again by another process, by name and in the list of names", async () => {
    const { records } = await open();
    const written = await records();
    expect(await collect(written.names())).toEqual([]);
    for (const name of ["1-a.json", "2-b.json", "3-c.json"]) await written.put(name, Buffer.from(name));
    const read = await records();
    expect((await collect(read.names())).sort()).toEqual(["1-a.json", "2-b.json", "3-c.json"]);
    expect(Buffer.from((await read.get("2-b.json")) ?? []).toString()).toBe("2-b.json");
    expect(await read.get("4-d.json")).toBeUndefined();
  });

  it("of one name are the last one written, also when many write it at once", async () => {
    const store = await (await open()).records();
    await Promise.all(Array.from({ length: 8 }, () => store.put("same", Buffer.from("same"))));
    await store.put("same", Buffer.from("other"));
    expect(await collect(store.names())).toEqual(["same"]);
    expect(Buffer.from((await store.get("same")) ?? []).toString()).toBe("other");
  });

  it("are no artifacts, and none of another folder", async () => {
    const { location, records } = await open();
    await (await records()).put("a".repeat(64), Buffer.from("x"));
    const artifacts = await openArtifactStore({ location, clock: systemClock });
    expect(await collect(artifacts.list())).toEqual([]);
    expect(await artifacts.dropExpired()).toBe(0);
    expect(await collect((await records("others")).names())).toEqual([]);
  });

  it("can be removed, also when they are not there, and may lie at the location itself", async () => {
    const { records } = await open();
    const [root, heads] = [await records(""), await records()];
    await root.put("owner.json", Buffer.from("{}"));
    await heads.put("one", Buffer.from("1"));
    await heads.remove("one");
    await heads.remove("one");
    expect(await heads.get("one")).toBeUndefined();
    expect(Buffer.from((await root.get("owner.json")) ?? []).toString()).toBe("{}");
  });

  it("cannot be named so that they land elsewhere", async () => {
    const store = await (await open()).records();
    for (const name of ["", "..", "../blobs", "a/b", ".hidden"]) {
      await expect(store.put(name, Buffer.from("x"))).rejects.toThrow("is not a record's name");
      await expect(store.get(name)).rejects.toThrow("is not a record's name");
    }
  });

  it("are not written after the signal has aborted", async () => {
    const store = await (await open()).records();
    await expect(store.put("late", Buffer.from("x"), AbortSignal.abort())).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(await collect(store.names())).toEqual([]);
  });
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
