import { silentTelemetry } from "@aimass/telemetry";
import { FakeClock } from "@aimass/testkit";
import { expect, it } from "vitest";
import { type DataRead, ReadAudit, type WriteReads } from "./read-audit.ts";

const ada = { principal: "user:ada", isService: false };
const minuteMs = 60_000;

function auditTo(write: WriteReads, windowMs = 10 * minuteMs) {
  let lost = 0;
  const onLost = (count: number) => {
    lost += count;
  };
  const clock = new FakeClock();
  const log = silentTelemetry().log;
  const audit = new ReadAudit({ write, clock, windowMs, onLost, log });
  return { audit, clock, lost: () => lost };
}

function written() {
  const told: DataRead[] = [];
  return { told, write: async (reads: readonly DataRead[]) => void told.push(...reads) };
}

const file = (sha256: string, allowed = true) => ({ resource: "default.m", sha256, preview: false, allowed });

it("a read is told once within its window, for each principal, artifact and outcome; a service's own never", async () => {
  const { told, write } = written();
  const { audit, clock } = auditTo(write);
  for (let i = 0; i < 5; i++) audit.note(ada, file("aa"));
  audit.note(ada, file("bb"));
  audit.note(ada, file("aa", false));
  audit.note({ principal: "user:bob", isService: false }, file("aa"));
  audit.note({ principal: "service:inference", isService: true }, file("aa"));
  await audit.settled();
  expect(told.map((read) => [read.principal, read.sha256, read.allowed])).toEqual([
    ["user:ada", "aa", true],
    ["user:ada", "bb", true],
    ["user:ada", "aa", false],
    ["user:bob", "aa", true],
  ]);
  await clock.advance(9 * minuteMs);
  audit.note(ada, file("aa"));
  await audit.settled();
  expect(told).toHaveLength(4);
  await clock.advance(minuteMs);
  audit.note(ada, file("aa"));
  await audit.settled();
  expect(told).toHaveLength(5);
});

it("a ledger that is away fails no read; what was lost is counted, and told when it is read again", async () => {
  const { told, write } = written();
  let isAway = true;
  const { audit, lost } = auditTo((reads) => (isAway ? Promise.reject(new Error("away")) : write(reads)));
  audit.note(ada, file("aa"));
  await audit.settled();
  expect([told.length, lost()]).toEqual([0, 1]);
  isAway = false;
  audit.note(ada, file("aa"));
  await audit.settled();
  expect([told.length, lost()]).toEqual([1, 1]);
});

it("a ledger that hangs holds up no read, and keeps a bounded number of them waiting", async () => {
  const { told, write } = written();
  const hanging = Promise.withResolvers<void>();
  const { audit, lost } = auditTo((reads) => hanging.promise.then(() => write(reads)));
  for (let i = 0; i < 5000; i++) audit.note(ada, file(String(i)));
  expect(lost()).toBeGreaterThan(3000);
  hanging.resolve();
  await audit.settled();
  expect(told.length + lost()).toBe(5000);
});

it("a window of nothing tells nothing", async () => {
  const { told, write } = written();
  const { audit } = auditTo(write, 0);
  audit.note(ada, file("aa"));
  await audit.settled();
  expect(told).toEqual([]);
});
