import { AimassError, type Clock } from "@aimass/core";
import { type HeaderFields, type PacedBody, type ServerCall, TransportError } from "@aimass/h2";
import { type ServiceIdentity, serviceTokenRefused } from "@aimass/identity";
import type { RefusedTokens } from "../pipeline/refused-tokens.ts";
import type { Backend, BackendProcess } from "./backend.ts";
import { exchange, TokenRefused } from "./exchange.ts";
import { type BackendName, isStreamingPath } from "./public-services.ts";
import { ReplayableBody } from "./replayable-body.ts";

export interface BackendCallsOptions {
  readonly backends: Readonly<Record<BackendName, Backend>>;
  readonly identity: ServiceIdentity;
  readonly refusedTokens: RefusedTokens;
  readonly clock: Clock;
  /** How long a call waits for a process of its service to come up. */
  readonly holdMs: number;
}

/** Tries with a fresh token after a service refused one. */
const maxRefusals = 2;

/** Brings a call to a process of its service, and to another one when it provably did not begin there. */
export class BackendCalls {
  readonly #options: BackendCallsOptions;

  constructor(options: BackendCallsOptions) {
    this.#options = options;
  }

  /** Throws UNAVAILABLE when no process of the service takes the call. */
  async pass(
    call: ServerCall,
    name: BackendName,
    { headers, body: paced }: { headers: HeaderFields; body: PacedBody<Buffer> },
  ): Promise<void> {
    const body = new ReplayableBody(paced);
    const tried = new Set<BackendProcess>();
    let refusals = 0;
    const endsAt = this.#options.clock.monotonic() + this.#options.holdMs;
    while (true) {
      const process = this.#options.backends[name].pick(tried);
      if (process === undefined) {
        await this.#wait(name, endsAt, call.signal);
        tried.clear();
        continue;
      }
      tried.add(process);
      try {
        const sent = { ...headers, "aimass-service": this.#options.identity.token() };
        if (!isStreamingPath(call.path)) return await exchange(call, process.shared, sent, body);
        return await process.withLane(call.signal, (lane) => exchange(call, lane, sent, body));
      } catch (error) {
        if (error instanceof TokenRefused) {
          this.#options.refusedTokens.note(name);
          refusals += 1;
          if (!body.isReplayable || refusals > maxRefusals) throw tokenRefused(name);
          tried.delete(process);
          continue;
        }
        if (!(error instanceof TransportError)) throw error;
        if (paced.failure !== undefined && paced.failure.code !== "CANCELLED") throw paced.failure;
        if (error.kind === "cancelled") throw new AimassError("CANCELLED", "The caller went away.");
        if (error.started || !body.isReplayable) throw lost(name, error);
      }
    }
  }

  async #wait(name: BackendName, endsAt: number, signal: AbortSignal): Promise<void> {
    const leftMs = endsAt - this.#options.clock.monotonic();
    const backend = this.#options.backends[name];
    const mayWait = leftMs > 0 && backend.processes.length > 0 && !signal.aborted;
    if (mayWait && (await backend.wait(Math.min(leftMs, 250), signal))) return;
    throw new AimassError("UNAVAILABLE", `The ${name} service cannot be reached.`, {
      reason: "SERVICE_UNREACHABLE",
      remedy: "Try again; `aimass status` shows what is up. Deployed models answer all the same.",
      retryAfterMs: 1000,
    });
  }
}

function tokenRefused(name: BackendName): AimassError {
  return new AimassError(
    "UNAVAILABLE",
    `The ${name} service cannot be asked now: the services of the mesh do not agree.`,
    {
      reason: serviceTokenRefused,
      remedy: "Try again; if it stays so, an operator finds the reason in the router's log.",
      retryAfterMs: 1000,
    },
  );
}

function lost(name: BackendName, cause: TransportError): AimassError {
  return new AimassError(
    "UNAVAILABLE",
    `The ${name} service was lost during the call; whether it took effect is not known.`,
    {
      reason: "SERVICE_LOST",
      retryAfterMs: 500,
      cause,
    },
  );
}
