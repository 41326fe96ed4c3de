import type { HeaderFields, UnaryResult } from "@aimass/h2";
import type { Principal } from "@aimass/identity";
import type { VersionRoutes } from "../routes/model-routes.ts";
import type { AnswerCode, Format } from "./outcome.ts";

/** Who calls, until when, and in which trace: what every call has, by whichever door it came. */
export interface Caller {
  readonly principal: Principal;
  /** By the clock's `monotonic`. */
  readonly deadlineAt: number;
  readonly signal: AbortSignal;
  /** Trace to continue towards the replica. */
  readonly traceparent: string;
  /** Decides between an alias's targets: in [0, 1). */
  readonly draw: number;
}

/** A request for a replica. */
export interface ReplicaCall {
  readonly caller: Caller;
  /** As the client wrote them. */
  readonly model: string;
  readonly version: string;
  readonly format: Format;
  /** The replica's path, once the version is known. */
  readonly path: (routes: VersionRoutes) => string;
  /** Beside the internal ones: content type and the like. */
  readonly headers: HeaderFields;
  readonly body: Uint8Array;
  /** Whether running it twice does no harm. */
  readonly isIdempotent: boolean;
}

/** Whether a call may go to the version it came to. Throws what the caller is told when it may not. */
export type AdmitVersion = (routes: VersionRoutes) => void;

/** A replica's answer, which may be an error of the model. */
export interface Served {
  readonly result: UnaryResult;
  readonly code: AnswerCode;
  /** The version that served, in digits. */
  readonly version: string;
  /** Time spent waiting for replicas, in milliseconds. */
  readonly upstreamMs: number;
}
