import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { externalReferences, readModel } from "@aimass/onnx";
import { externalDataModel, tinyModel } from "@aimass/onnx/samples";
import { type TempDirectory, tempDirectory } from "@aimass/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LocalBundle } from "./local-bundle.ts";
import { nameOfPath } from "./name-of-path.ts";
import { openModel } from "./open-model.ts";

let folder: TempDirectory;

beforeEach(async () => {
  folder = await tempDirectory();
});

afterEach(() => folder[Symbol.asyncDispose]());

const at = (path: string) => join(folder.path, path);

function put(path: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(at(path)), { recursive: true });
  writeFileSync(at(path), bytes);
}

/** A graph at a path, with the file of its weights where its tensor says. */
function putModel(path: string, location: string): void {
  const { model, files } = externalDataModel(location);
  put(path, model);
  for (const bytes of files.values()) put(join(dirname(path), location), bytes);
}

async function bytesOf(bundle: LocalBundle, path: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const file = bundle.files.find((one) => one.path === path) ?? expect.fail(`There is no ${path}.`);
  for await (const part of file.source.read(0)) parts.push(part);
  return Buffer.concat(parts);
}

const pathsOf = ({ files }: LocalBundle) => files.map(({ path }) => path);

describe("an .onnx file with its weights in other files", () => {
  it.each(["net.onnx.data", "weights/deep/layer.bin", "model.onnx_data", "Größe 漢字.bin", "a b/(1)'s.bin"])(
    "takes %s along as it is named",
    async (location) => {
      putModel("net.onnx", location);
      put("notes.txt", "no part of it");
      const { versions } = await openModel(at("net.onnx"));
      expect(pathsOf(versions[0])).toEqual(["model.onnx", location]);
      expect(await bytesOf(versions[0], "model.onnx")).toEqual(Buffer.from(externalDataModel(location).model));
    },
  );

  it.each([
    ".hidden.data",
    "./net.data",
    "-net",
    "w:0",
    "sub/../net.data",
    "what?.bin",
    "a\\b",
    "model.onnx/w",
    "Model.ONNX",
    "d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/d/w",
  ])("gives %s a name that a bundle can have, and the graph names it so", async (location) => {
    putModel("net.graph", location);
    const [bundle] = (await openModel(at("net.graph"))).versions;
    expect(pathsOf(bundle)).toEqual(["model.onnx", "data/1.bin"]);
    const graph = readModel(await bytesOf(bundle, "model.onnx"));
    expect(externalReferences(graph).map((one) => one.location)).toEqual(["data/1.bin"]);
    expect((await bytesOf(bundle, "data/1.bin")).length).toBe(64);
  });

  it("says which tensor misses which file, and where it was looked for", async () => {
    put("net.onnx", externalDataModel("net.onnx.data").model);
    await expect(openModel(at("net.onnx"))).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringMatching(
        /tensor "w" of .*net\.onnx needs the file "net\.onnx\.data".*at .*\/net\.onnx\.data/,
      ),
    });
  });

  it.each(["../secret.bin", "/etc/hostname", "sub/../../secret.bin"])(
    "takes nothing from outside: %s",
    async (location) => {
      put("secret.bin", new Uint8Array(64));
      put("model/net.onnx", externalDataModel(location).model);
      await expect(openModel(at("model/net.onnx"))).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    },
  );

  it("follows a link of Hugging Face's cache, and none that leads elsewhere", async () => {
    put("hub/models--a--b/blobs/1234", externalDataModel("net.data").model);
    put("hub/models--a--b/blobs/5678", new Uint8Array(64));
    put("secret.bin", new Uint8Array(64));
    const snapshot = "hub/models--a--b/snapshots/main";
    mkdirSync(at(snapshot), { recursive: true });
    symlinkSync("../../blobs/1234", at(`${snapshot}/model.onnx`));
    symlinkSync("../../blobs/5678", at(`${snapshot}/net.data`));
    symlinkSync(at("secret.bin"), at(`${snapshot}/notes.txt`));
    expect(pathsOf((await openModel(at(snapshot))).versions[0])).toEqual(["model.onnx", "net.data"]);
    put("model/net.onnx", externalDataModel("net.data").model);
    symlinkSync(at("secret.bin"), at("model/net.data"));
    await expect(openModel(at("model/net.onnx"))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("a folder", () => {
  it("with one .onnx file of any name is that model, with the other files", async () => {
    putModel("net/export/Sentiment v2.onnx", "Sentiment v2.onnx.data");
    put("net/tokenizer.json", "{}");
    put("net/.DS_Store", "");
    const { told, versions } = await openModel(at("net"));
    expect(told).toMatch(/export\/Sentiment v2\.onnx/);
    expect(pathsOf(versions[0])).toEqual(["model.onnx", "Sentiment v2.onnx.data", "tokenizer.json"]);
  });

  it("with several is asked which, and takes the one that is named", async () => {
    put("net/a.onnx", tinyModel(1));
    put("net/b.onnx", tinyModel(2));
    await expect(openModel(at("net"))).rejects.toMatchObject({
      message: expect.stringMatching(/2 \.onnx files: a\.onnx, b\.onnx/),
      remedy: expect.stringMatching(/--file/),
    });
    const [bundle] = (await openModel(at("net"), "b.onnx")).versions;
    expect(await bytesOf(bundle, "model.onnx")).toEqual(Buffer.from(tinyModel(2)));
    await expect(openModel(at("net"), "c.onnx")).rejects.toMatchObject({
      remedy: expect.stringMatching(/a\.onnx, b\.onnx/),
    });
  });

  it("without any is told so", async () => {
    put("net/weights.pt", "");
    await expect(openModel(at("net"))).rejects.toMatchObject({ message: expect.stringMatching(/has no \.onnx file/) });
  });
});

describe("a model's name", () => {
  it.each([
    ["dir/Net 2.onnx", "Net-2"],
    ["dir/net.v1.5.onnx", "net-v1-5"],
    ["fraud.v2/", "fraud-v2"],
    ["_x.onnx", "x"],
    ["漢字.onnx", "model"],
  ])("of %s is %s", (path, name) => expect(nameOfPath(path)).toBe(name));
});
