import type {
  AnnounceNodeRequest,
  Assignment,
  AttachReplicaRequest,
  DedicatedReplica,
  ReplicaExit,
  ReplicaInfo,
  ReplicaService,
} from "@aimass/api/scheduler";
import { AimassError, type Clock, linkedSignal } from "@aimass/core";
import type { ServiceIdentity, ServiceSender } from "@aimass/identity";
import { callerOf } from "@aimass/rpc";
import type { Logger } from "@aimass/telemetry";
import type { ServiceImpl } from "@connectrpc/connect";
import type { ReadGrants } from "../assignments/read-grants.ts";
import type { WantedFeed } from "../assignments/wanted-feed.ts";
import { Attachment, type AttachmentPort } from "../fleet/attachment.ts";
import { assertOwnExits, assertOwnNode, assertOwnReplica, assertOwnReport } from "../fleet/own-node.ts";
import { nodeReportText, replicaReportText } from "../fleet/report-text.ts";

export interface ReplicaServiceOptions {
  readonly assignments: WantedFeed<Assignment>;
  readonly dedicated: WantedFeed<DedicatedReplica>;
  readonly grants: ReadGrants;
  readonly identity: ServiceIdentity;
  readonly openReplica: () => AttachmentPort<ReplicaInfo>;
  readonly openNode: () => AttachmentPort<AnnounceNodeRequest>;
  readonly recordExits: (exits: readonly ReplicaExit[]) => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  /** How often an unchanged report is written to keep the lease. */
  readonly renewMs: number;
  /** How long an agent or replica that reports nothing keeps its lease while its stream stands. */
  readonly silentMs: number;
  /** Aborts when this process ends: its streams then end without anyone being given up. */
  readonly stopping: AbortSignal;
}

/** `aimass.scheduler.v1.ReplicaService`. */
export function createReplicaService(o: ReplicaServiceOptions): ServiceImpl<typeof ReplicaService> {
  const { clock, log, renewMs, silentMs } = o;
  return {
    async *announceNode(requests, context) {
      const attachment = new Attachment(o.openNode(), { clock, log, renewMs, silentMs, textOf: nodeReportText });
      const exits = new PendingExits(o.recordExits, log);
      const session = {
        o,
        sender: callerOf(context).service,
        assertOwn: (sender: ServiceSender, request: AnnounceNodeRequest) => {
          assertOwnNode(sender, request.node);
          assertOwnExits(sender, request.exits);
        },
        signal: context.signal,
        attachment,
        idOf: (request: AnnounceNodeRequest) => request.node,
        reportOf: (request: AnnounceNodeRequest) => request,
        onRequest: (request: AnnounceNodeRequest) => exits.add(request.exits),
        feed: o.dedicated,
      };
      for await (const dedicated of holdSession(requests, session)) yield { dedicated: [...dedicated] };
    },
    async *attachReplica(requests, context) {
      const attachment = new Attachment(o.openReplica(), { clock, log, renewMs, silentMs, textOf: replicaReportText });
      const exits = new PendingExits(o.recordExits, log);
      const session = {
        o,
        sender: callerOf(context).service,
        assertOwn: (sender: ServiceSender, request: AttachReplicaRequest) => {
          assertOwnReport(sender, request.replica);
          assertOwnExits(sender, request.exits);
        },
        signal: context.signal,
        attachment,
        idOf: (request: AttachReplicaRequest) => request.replica?.id ?? "",
        reportOf: (request: AttachReplicaRequest) => request.replica as ReplicaInfo,
        onRequest: (request: AttachReplicaRequest) => exits.add(request.exits),
        feed: o.assignments,
      };
      for await (const assignments of holdSession(requests, session)) yield { assignments: [...assignments] };
    },
    async grantRead(request, context) {
      const sender = callerOf(context).service;
      assertOwnReplica(sender, checkId(request.replicaId));
      return { grant: await o.grants.grant(sender, request) };
    },
  };
}

interface Session<Request, Report, Item> {
  readonly o: ReplicaServiceOptions;
  readonly sender: ServiceSender;
  /** Throws when a request is about another machine than the sender's. */
  readonly assertOwn: (sender: ServiceSender, request: Request) => void;
  readonly signal: AbortSignal;
  readonly attachment: Attachment<Report>;
  readonly idOf: (request: Request) => string;
  readonly reportOf: (request: Request) => Report;
  readonly onRequest?: (request: Request) => Promise<void>;
  readonly feed: WantedFeed<Item>;
}

/** One stream: reports in, wanted sets out, until either side ends. */
async function* holdSession<Request, Report, Item>(
  requests: AsyncIterable<Request>,
  session: Session<Request, Report, Item>,
): AsyncGenerator<readonly Item[]> {
  const { o, attachment, feed } = session;
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done === true) return;
  const id = checkId(session.idOf(first.value));
  session.assertOwn(session.sender, first.value);
  using ends = linkedSignal(session.signal, o.stopping);
  using wanted = feed.subscribe(id);
  let failure: unknown;
  const reading = readReports(first.value, iterator, session, id)
    .catch((error: unknown) => {
      if (!ends.signal.aborted) failure = error;
    })
    .finally(() => wanted[Symbol.dispose]());
  // A little later than a report on time would have renewed it.
  const vouching = setInterval(() => void attachment.vouch(), o.renewMs * 1.5);
  ends.signal.addEventListener("abort", () => wanted[Symbol.dispose](), { once: true });
  try {
    yield* wanted.sets;
    if (failure !== undefined) throw failure;
  } finally {
    clearInterval(vouching);
    // A process that ends leaves its replicas attached: they go to another one within moments.
    if (!o.stopping.aborted) await attachment.detach();
    void reading;
  }
}

async function readReports<Request, Report, Item>(
  first: Request,
  iterator: AsyncIterator<Request>,
  session: Session<Request, Report, Item>,
  id: string,
): Promise<void> {
  for (let request: Request = first; ; ) {
    if (session.idOf(request) !== id) {
      throw new AimassError("INVALID_ARGUMENT", `A stream of ${id} may not report ${session.idOf(request)}.`);
    }
    // The stream may outlast the key that it was opened with.
    session.o.identity.assertTrusted(session.sender);
    session.assertOwn(session.sender, request);
    await session.onRequest?.(request);
    if (!(await session.attachment.report(session.reportOf(request)))) {
      throw new AimassError("ABORTED", `Another process announced itself as ${id}.`, { reason: "SUPERSEDED" });
    }
    const next = await iterator.next();
    if (next.done === true) return;
    request = next.value;
  }
}

function checkId(id: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._/-]{0,299}$/.test(id)) return id;
  throw new AimassError("INVALID_ARGUMENT", `"${id.slice(0, 100)}" is not the id of a replica or the name of a node.`, {
    remedy: 'Ids look like "node-a/cpu-0".',
  });
}

/** Exits are told once; they are kept until the database has them. */
class PendingExits {
  readonly #record: (exits: readonly ReplicaExit[]) => Promise<void>;
  readonly #log: Logger;
  #waiting: ReplicaExit[] = [];

  constructor(record: (exits: readonly ReplicaExit[]) => Promise<void>, log: Logger) {
    this.#record = record;
    this.#log = log;
  }

  async add(exits: readonly ReplicaExit[]): Promise<void> {
    this.#waiting.push(...exits);
    if (this.#waiting.length === 0) return;
    try {
      await this.#record(this.#waiting);
      this.#waiting = [];
    } catch (error) {
      this.#log.warn("exits not written", { error });
    }
  }
}
