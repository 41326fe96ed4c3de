import { createHash } from "node:crypto";
import { JobSpecSchema } from "@aimass/api/trainer";
import type { Json } from "@aimass/learn";
import { toBinary } from "@bufbuild/protobuf";
import type { CheckpointSlot } from "../recipes/candidate.ts";
import type { JobWork } from "./job-work.ts";

/** Changes when a checkpoint of an older trainer would mean something else. */
const format = 1;

interface Document {
  readonly fingerprint: string;
  readonly phases: Readonly<Record<string, Json>>;
}

/**
 * What a job's phases ("fit", "search") keep so that a later attempt goes on from there, as one document. It counts only for the same spec and the same data:
 * a checkpoint of something else is as none.
 */
export class JobCheckpoints {
  readonly #fingerprint: string;
  readonly #report: JobWork["report"];
  #phases: Readonly<Record<string, Json>>;

  constructor({ spec, dataset, checkpoint, report }: Pick<JobWork, "spec" | "dataset" | "checkpoint" | "report">) {
    const digest = createHash("sha256")
      .update(`${format}`)
      .update(toBinary(JobSpecSchema, spec))
      .update(dataset.sha256);
    this.#fingerprint = digest.digest("hex");
    this.#report = report;
    this.#phases = read(checkpoint, this.#fingerprint);
  }

  /** A phase's place. */
  slot(phase: string): CheckpointSlot {
    return {
      resume: this.#phases[phase],
      save: (state) => {
        this.#phases = { ...this.#phases, [phase]: state };
        const document: Document = { fingerprint: this.#fingerprint, phases: this.#phases };
        this.#report.checkpoint(Buffer.from(JSON.stringify(document)));
      },
    };
  }
}

function read(bytes: Uint8Array | undefined, fingerprint: string): Document["phases"] {
  if (bytes === undefined) return {};
  try {
    const document = JSON.parse(Buffer.from(bytes).toString()) as Document;
    return document.fingerprint === fingerprint ? document.phases : {};
  } catch {
    return {};
  }
}
