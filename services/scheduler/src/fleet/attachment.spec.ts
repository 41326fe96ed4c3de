import { silentTelemetry } from "@aimass/telemetry";
import { FakeClock } from "@aimass/testkit";
import { describe, expect, it } from "vitest";
import { Attachment, type AttachmentPort } from "./attachment.ts";

/** Notes what is written; the database is away while `away`. */
class Ledger implements AttachmentPort<string> {
  readonly calls: string[] = [];
  away = false;
  superseded = false;

  async attach(report: string): Promise<void> {
    this.#write(`attach ${report}`);
  }

  async report(report: string, isNews: boolean): Promise<boolean> {
    this.#write(`${isNews ? "news" : "renewal"} ${report}`);
    return !this.superseded;
  }

  async detach(): Promise<void> {
    this.#write("detach");
  }

  #write(call: string): void {
    if (this.away) throw new Error("the database is away");
    this.calls.push(call);
  }
}

function attached() {
  const [ledger, clock] = [new Ledger(), new FakeClock()];
  const log = silentTelemetry().log;
  return {
    ledger,
    clock,
    attachment: new Attachment(ledger, {
      clock,
      log,
      renewMs: 2500,
      silentMs: 60_000,
      textOf: (report: string) => report,
    }),
  };
}

describe("a replica's reports", () => {
  it("are written when they say something new, and else to keep the lease", async () => {
    const { ledger, clock, attachment } = attached();
    for (const report of ["a", "a", "b", "b"]) await attachment.report(report);
    await clock.advance(2500);
    await attachment.report("b");
    await attachment.detach();
    expect(ledger.calls).toEqual(["attach a", "news b", "renewal b", "detach"]);
  });

  it("wait for a database that is away, and the stream stays", async () => {
    const { ledger, attachment } = attached();
    ledger.away = true;
    expect(await attachment.report("a")).toBe(true);
    ledger.away = false;
    expect(await attachment.report("a")).toBe(true);
    ledger.away = true;
    expect(await attachment.report("b")).toBe(true);
    ledger.away = false;
    await attachment.report("b");
    expect(ledger.calls).toEqual(["attach a", "news b"]);
  });

  it("end when another stream took the id over", async () => {
    const { ledger, attachment } = attached();
    await attachment.report("a");
    ledger.superseded = true;
    expect(await attachment.report("b")).toBe(false);
  });

  it("of a stream that never got through leave nothing to detach", async () => {
    const { ledger, attachment } = attached();
    await attachment.detach();
    expect(ledger.calls).toEqual([]);
  });

  it("are vouched for while there are none, as long as their stream stands and no longer than the bound", async () => {
    const { ledger, clock, attachment } = attached();
    await attachment.vouch();
    await attachment.report("a");
    for (let n = 0; n < 30; n += 1) {
      await clock.advance(2500);
      await attachment.vouch();
    }
    expect(ledger.calls).toEqual(["attach a", ...Array(23).fill("renewal a")]);
    await attachment.report("a");
    await clock.advance(2500);
    await attachment.vouch();
    expect(ledger.calls).toHaveLength(26);
  });
});
