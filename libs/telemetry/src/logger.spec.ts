import { describe, expect, it } from "vitest";
import { parseLogLevels } from "./log-levels.ts";
import { createLogger } from "./logger.ts";

function capture(log: string, format: "json" | "pretty" = "json") {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ service: "router", instance: "i1", levels: parseLogLevels(log), format, destination });
  return { lines, logger };
}

describe("createLogger()", () => {
  it("lets one scope, and what is under it, speak louder than the rest", () => {
    const { lines, logger } = capture("warn,router.balance=debug");
    logger.info("started");
    logger.scope("router.balance.pick").debug("picked", { replica: "r1" });
    logger.scope("router.balancer").info("not this one");
    expect(lines.map((l) => JSON.parse(l))).toMatchObject([
      {
        level: "debug",
        scope: "router.balance.pick",
        message: "picked",
        replica: "r1",
        service: "router",
        instance: "i1",
      },
    ]);
  });

  it("keeps an error's message and cause, and keeps secrets out", () => {
    const { lines, logger } = capture("info");
    const error = new Error("outer", { cause: new Error("inner") });
    logger.error("failed", { error, password: "hunter2", headers: { authorization: "Bearer x" } });
    expect(lines[0]).toContain("outer");
    expect(lines[0]).toContain("inner");
    expect(lines[0]).not.toMatch(/hunter2|Bearer/);
  });

  it("writes lines for people when asked", () => {
    const { lines, logger } = capture("info", "pretty");
    logger.warn("replica ejected", { replica: "r1", reason: "too slow" });
    expect(lines[0]).toMatch(/warn.*router.*replica ejected.*replica=.*r1.*"too slow"/);
  });
});
