import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigError, formatAddress, parseAddress, readConfig } from "./config.ts";

describe("readConfig", () => {
  it("reads every type and freezes the result", () => {
    const config = readConfig({ A: "7", B: "true", C: "127.0.0.1:1,[::1]:2", D: "x" }, (v) => ({
      a: v.integer("A", { minimum: 0, maximum: 9 }),
      b: v.boolean("B", false),
      c: v.addresses("C"),
      d: v.choice("D", ["x", "y"]),
      e: v.string("E", "fallback"),
      f: v.optional("F"),
    }));
    expect(config).toEqual({
      a: 7,
      b: true,
      c: [
        { host: "127.0.0.1", port: 1 },
        { host: "::1", port: 2 },
      ],
      d: "x",
      e: "fallback",
      f: undefined,
    });
    expect(Object.isFrozen(config)).toBe(true);
  });

  it("reports every mistake at once, with name, value and bound", () => {
    const read = () =>
      readConfig({ PORTS: "70000", COUNT: "2.5", MODE: "loud", ON: "maybe" }, (v) => ({
        a: v.address("PORTS"),
        b: v.integer("COUNT", { minimum: 1, maximum: 3 }),
        c: v.choice("MODE", ["quiet"]),
        d: v.boolean("ON", true),
        e: v.string("MISSING"),
      }));
    const error = thrownBy(read);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).problems).toEqual([
      'PORTS has "70000"; an address looks like 127.0.0.1:5000.',
      'COUNT is "2.5"; it must be a whole number from 1 to 3.',
      'MODE is "loud"; it must be one of quiet.',
      'ON is "maybe"; it must be true or false.',
      "MISSING is not set.",
    ]);
  });

  it("takes a secret from a file, and says so when the file or the choice is wrong", () => {
    const file = join(mkdtempSync(join(tmpdir(), "core-")), "secret");
    writeFileSync(file, "hush\n");
    expect(readConfig({ KEY_FILE: file }, (v) => ({ key: v.secret("KEY") })).key).toBe("hush");
    expect(() => readConfig({ KEY_FILE: file, KEY: "other" }, (v) => ({ key: v.secret("KEY") }))).toThrow("both set");
    expect(() => readConfig({ KEY_FILE: `${file}.no` }, (v) => ({ key: v.secret("KEY") }))).toThrow("ENOENT");
  });

  it("takes an empty variable for a missing one", () => {
    expect(readConfig({ A: "" }, (v) => ({ a: v.string("A", "b") })).a).toBe("b");
  });
});

describe("addresses", () => {
  it("survive a round trip", () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom("localhost", "a.example"));
    fc.assert(
      fc.property(host, fc.integer({ min: 0, max: 65535 }), (h, port) => {
        expect(parseAddress(formatAddress({ host: h, port }))).toEqual({ host: h, port });
      }),
    );
  });

  it("are refused when they are none", () => {
    for (const text of ["", "host", "host:", "host:99999", "a:b:1", "[::1]"])
      expect(parseAddress(text)).toBeUndefined();
    expect(parseAddress(":5000")).toEqual({ host: "127.0.0.1", port: 5000 });
  });
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("settings that contradict each other", () => {
  const reading = (env: Record<string, string>) => () =>
    readConfig(env, (v) => {
      v.atMost("EACH", "ALL", { because: "one would be more than all" });
      v.atMost("ONE", "TOTAL", { times: 2, because: "a half is what one may have" });
      v.ownPorts({ LISTEN: v.addresses("LISTEN", "127.0.0.1:5000"), ADMIN: v.address("ADMIN", "127.0.0.1:0") });
      return {};
    });

  it.each([
    [{ EACH: "9", ALL: "5" }, "EACH is 9 and ALL is 5; EACH may be 5 at most: one would be more than all."],
    [{ ONE: "6", TOTAL: "10" }, "ONE is 6 and TOTAL is 10; ONE may be 5 at most: a half is what one may have."],
    [
      { LISTEN: "127.0.0.1:1,[::]:2,127.0.0.1:2" },
      "LISTEN has [::]:2 and 127.0.0.1:2, which is one port; give each listener its own.",
    ],
    [
      { ADMIN: "0.0.0.0:5000" },
      "LISTEN has 127.0.0.1:5000 and ADMIN has 0.0.0.0:5000, which is one port; give each listener its own.",
    ],
  ])("are refused in one sentence: %j", (env, sentence) => {
    expect(reading(env as Record<string, string>)).toThrow(sentence);
  });

  it.each([
    { EACH: "5", ALL: "5" },
    { EACH: "9" },
    { ALL: "1" },
    { LISTEN: "127.0.0.1:0,127.0.0.1:0" },
    { LISTEN: "127.0.0.1:1", ADMIN: "127.0.0.2:1" },
  ])("are none where they fit, or one alone is set: %j", (env) => {
    expect(reading(env as Record<string, string>)).not.toThrow();
  });
});
