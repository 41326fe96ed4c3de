import type { Code } from "@aimass/core";
import type { Signature } from "../signature.ts";

/** What a probe found. */
export interface ProbeResult {
  readonly signature: Signature;
  /** Resident memory the session and its trial runs took, in bytes. */
  readonly memoryBytes: number;
  /** Whether a trial run went through; some models refuse every generated input and still serve. */
  readonly ran: boolean;
  /** What people should know: why no trial run went through, why batches are not possible. */
  readonly notes: readonly string[];
}

/** What the disposable process says, once. */
export type ProbeReply =
  | { readonly ok: true; readonly result: ProbeResult }
  | {
      readonly ok: false;
      readonly code: Code;
      readonly message: string;
      readonly reason?: string | undefined;
      readonly field?: string | undefined;
      readonly remedy?: string | undefined;
    };
