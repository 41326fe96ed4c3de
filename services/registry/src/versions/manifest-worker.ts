import { parentPort, workerData } from "node:worker_threads";
import { AimassError } from "@aimass/core";
import { readManifest } from "./manifest.ts";
import type { ManifestReply } from "./manifest-reader.ts";

parentPort?.postMessage(answer(workerData as string));

function answer(text: string): ManifestReply {
  try {
    return { manifest: readManifest(text) };
  } catch (error) {
    const { message, field, remedy } = AimassError.from(error);
    return { refusal: { message, field: field ?? "", remedy: remedy ?? "" } };
  }
}
