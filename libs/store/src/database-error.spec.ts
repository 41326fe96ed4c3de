import { describe, expect, it } from "vitest";
import { fromDatabaseError, isUniqueViolation } from "./database-error.ts";

const coded = (code: string, message = "…", more: object = {}) => Object.assign(new Error(message), { code, ...more });

describe("what the database throws", () => {
  const cases: readonly [string, unknown, string | undefined][] = [
    ["a refused connection", coded("ECONNREFUSED"), "UNAVAILABLE"],
    [
      "both addresses of a name refused",
      new AggregateError([coded("ECONNREFUSED"), coded("ECONNREFUSED")]),
      "UNAVAILABLE",
    ],
    ["a server that shuts down", coded("57P01"), "UNAVAILABLE"],
    ["a server that starts", coded("57P03"), "UNAVAILABLE"],
    ["a connection class", coded("08006"), "UNAVAILABLE"],
    ["a socket that closed", new Error("Connection terminated unexpectedly"), "UNAVAILABLE"],
    ["a pool without a free connection", new Error("timeout exceeded when trying to connect"), "UNAVAILABLE"],
    ["an answer that never came", new Error("Query read timeout"), "UNAVAILABLE"],
    ["a statement time-out", coded("57014"), "DEADLINE_EXCEEDED"],
    ["a unique violation", coded("23505"), undefined],
    ["a bug", new TypeError("x is undefined"), undefined],
  ];
  it.each(cases)("%s", (_, thrown, code) => {
    const error = fromDatabaseError(thrown);
    if (code === undefined) expect(error).toBe(thrown);
    else expect(error).toMatchObject({ name: "AimassError", code });
  });

  it("tells unique violations apart by constraint", () => {
    const error = coded("23505", "duplicate", { constraint: "model_name" });
    expect(isUniqueViolation(error)).toBe(true);
    expect(isUniqueViolation(error, "model_name")).toBe(true);
    expect(isUniqueViolation(error, "other")).toBe(false);
  });
});
