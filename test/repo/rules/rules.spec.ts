import { describe, expect, it } from "vitest";
import { boundaryViolations, importsOf } from "./boundaries.ts";
import { importCircles } from "./circles.ts";
import { unlistedConsumers } from "./consumers.ts";
import { longLines } from "./docs.ts";
import { longFunctions } from "./functions.ts";
import { missingPlatforms, platformEntry } from "./lockfile.ts";
import { skeletonViolations, unpinnedDependencies } from "./packages.ts";
import { unshownPromises } from "./promises.ts";
import { catalogueOf, reasonsOf, staleReasons } from "./reasons.ts";
import { undocumentedVariables } from "./variables.ts";

const everything = () => ["@aimass/core", "@aimass/rpc", "@aimass/store", "@aimass/oip", "pg"];
const check = (path: string, text: string) => boundaryViolations([{ path, text }], everything);

describe("boundaries", () => {
  it("lets imports point down", () => {
    expect(
      check(
        "services/auth/src/app.ts",
        'import { x } from "@aimass/rpc";\nimport pg from "pg";\nimport { y } from "./y.ts";',
      ),
    ).toEqual([]);
    expect(check("libs/store/src/a.ts", 'import { x } from "@aimass/core";')).toEqual([]);
  });

  it("refuses imports that point up or sideways", () => {
    expect(check("libs/core/src/a.ts", 'import { x } from "@aimass/store";')).toHaveLength(1);
    expect(check("libs/store/src/a.ts", 'import { x } from "@aimass/oip";')).toHaveLength(1);
    expect(check("libs/store/src/a.ts", 'export * from "@aimass/rpc";')).toHaveLength(1);
  });

  it("refuses a service that imports a service, by name or by path", () => {
    expect(check("services/auth/src/a.ts", 'import { x } from "@aimass/registry";')).toHaveLength(1);
    expect(check("services/auth/src/a.ts", 'const x = await import("../../registry/src/app.ts");')).toHaveLength(1);
  });

  it("refuses testkit outside tests and packages nobody declared", () => {
    expect(check("services/auth/src/a.ts", 'import { x } from "@aimass/testkit";')).toHaveLength(1);
    expect(check("services/auth/src/a.spec.ts", 'import { x } from "@aimass/testkit";')).toEqual([]);
    expect(check("services/auth/src/a.ts", 'import { x } from "lodash";')).toHaveLength(1);
  });

  it("sees imports over several lines, types, and re-exports", () => {
    expect(
      importsOf(
        'import {\n  a,\n  type B,\n} from "@aimass/core";\nexport type { C } from "./c.ts";\nimport "side-effect";',
      ),
    ).toEqual(["@aimass/core", "./c.ts", "side-effect"]);
  });
});

describe("circles of imports", () => {
  const file = (path: string, text: string) => ({ path, text });

  it("are found through other files, types and further folders", () => {
    const files = [
      file("libs/a/src/one.ts", 'import { two } from "./deep/two.ts";'),
      file("libs/a/src/deep/two.ts", 'export type { Three } from "../three.ts";'),
      file("libs/a/src/three.ts", 'import {\n  type One,\n} from "./one.ts";\nimport { four } from "./four.ts";'),
      file("libs/a/src/four.ts", 'const three = await import("./three.ts");'),
    ];
    expect(importCircles(files)).toEqual([
      "libs/a/src/one.ts → libs/a/src/deep/two.ts → libs/a/src/three.ts → libs/a/src/one.ts: files that import each other.",
      "libs/a/src/three.ts → libs/a/src/four.ts → libs/a/src/three.ts: files that import each other.",
    ]);
  });

  it("are none where two files import a third", () => {
    const files = [
      file("libs/a/src/one.ts", 'import { two } from "./two.ts";\nimport { three } from "./three.ts";'),
      file("libs/a/src/two.ts", 'import { three } from "./three.ts";\nimport "node:fs";\nimport "./gone.ts";'),
      file("libs/a/src/three.ts", ""),
    ];
    expect(importCircles(files)).toEqual([]);
  });
});

describe("packages", () => {
  it("refuses ranges", () => {
    expect(
      unpinnedDependencies({ name: "a", dependencies: { b: "1.2.3", c: "^1.2.3" }, devDependencies: { d: "*" } }),
    ).toHaveLength(2);
    expect(unpinnedDependencies({ name: "a", optionalDependencies: { e: "18.4.0-beta.17" } })).toEqual([]);
  });

  it("misses a README and a service's main", () => {
    expect(skeletonViolations(["libs/core"], new Set(["libs/core/README.md"]))).toEqual([]);
    expect(
      skeletonViolations(
        ["services/auth"],
        new Set(["services/auth/README.md", "services/auth/src/app.ts", "services/auth/src/config.ts"]),
      ),
    ).toEqual(["services/auth has no src/main.ts."]);
  });
});

describe("variables", () => {
  it("finds one that the README does not list, in a reader's call or on an environment", () => {
    const sources = [
      { path: "services/auth/src/config.ts", text: 'v.address("AIMASS_LISTEN"); v.secret("AIMASS_DATABASE_URL")' },
      { path: "libs/core/src/a.ts", text: "process.env.AIMASS_GRACE_MS" },
    ];
    const readme = (home: string) => (home === "services/auth" ? "| AIMASS_LISTEN | where it listens |" : "");
    expect(undocumentedVariables(sources, readme)).toEqual([
      "libs/core reads AIMASS_GRACE_MS, which its README does not list (libs/core/src/a.ts).",
      "services/auth reads AIMASS_DATABASE_URL, which its README does not list (services/auth/src/config.ts).",
    ]);
  });
});

describe("lockfile", () => {
  const lock = {
    packages: {
      "": {},
      "node_modules/tool": {
        dev: true,
        optionalDependencies: { "@tool/linux-x64": "1.0.0", "@tool/darwin-64": "1.0.0" },
      },
      "node_modules/@tool/linux-x64": { version: "1.0.0" },
    },
  };

  it("misses a platform that the registry did not have", () => {
    expect(missingPlatforms(lock)).toEqual([
      { name: "@tool/darwin-64", version: "1.0.0", wantedBy: "node_modules/tool", dev: true },
    ]);
  });

  it("reads the platform from the name", () => {
    const entry = (name: string) => platformEntry({ name, version: "1.0.0", wantedBy: "", dev: false });
    expect(entry("@tool/darwin-64")).toMatchObject({ os: ["darwin"], cpu: ["x64"], optional: true });
    expect(entry("@biomejs/cli-linux-arm64-musl")).toMatchObject({ os: ["linux"], cpu: ["arm64"], libc: ["musl"] });
    expect(entry("argon2-win32-x64-msvc")).toMatchObject({ os: ["win32"], cpu: ["x64"] });
    expect(() => entry("@tool/something")).toThrow("does not tell");
  });
});

describe("consumers of events", () => {
  it("are listed where their rights come from", () => {
    const found = (path: string) =>
      unlistedConsumers([{ path, text: 'bus.subscribe({ consumer: "b" });' }], { one: ["a"], two: ["b"] });
    expect(found("services/two/src/app.ts")).toEqual([]);
    expect(found("services/one/src/app.spec.ts")).toEqual([]);
    expect(found("services/one/src/app.ts")).toEqual([
      'services/one/src/app.ts hears events as "b", which libs/events/src/consumers.ts does not list.',
    ]);
  });
});

describe("documents", () => {
  it("are wrapped, but for tables, code, headings and what cannot be broken", () => {
    const words = "words and ".repeat(12);
    const found = (text: string) => longLines([{ path: "README.md", text }]);
    expect(found(`short\n${words}\n- ${words}\n`)).toEqual([
      "README.md:2 has 120 columns; wrap it at 100.",
      "README.md:3 has 122 columns; wrap it at 100.",
    ]);
    const code = `\`\`\`sh\n${words}\n\`\`\`\n`;
    const whole = `- [name](https://example.com/${"a".repeat(120)})\n\`${words}\` and\n`;
    expect(found(`| ${words} |\n# ${words}\n${code}${whole}    ${words}\n`)).toEqual([]);
  });
});

describe("functions", () => {
  const lines = (count: number) => "  work();\n".repeat(count);

  it("of more than sixty lines of their own are told, wherever they stand", () => {
    const found = (text: string, path = "libs/a/src/a.ts") => longFunctions([{ path, text }]);
    expect(found(`function fits() {\n${lines(58)}}\n`)).toEqual([]);
    expect(found(`\nfunction long() {\n${lines(59)}}\n`)).toEqual([
      "libs/a/src/a.ts:2 has a function of 61 lines of its own; 60 are the most.",
    ]);
    expect(found(`const o = {\n  method() {\n${lines(70)}  },\n};\n`)).toHaveLength(1);
    expect(found(`function many() {\n  const inner = () => {\n${lines(50)}  };\n${lines(50)}}\n`)).toEqual([]);
    expect(found(`function long() {\n${lines(99)}}\n`, "libs/a/src/a.spec.ts")).toEqual([]);
  });
});

describe("promises", () => {
  const table = (cell: string) =>
    `# Security\n\n| threat | protection | shown by |\n|---|---|---|\n| a thief | locked out | ${cell} |\n`;
  const files = new Map([["door.spec.ts", 'it("keeps thieves out", () => {});']]);
  const found = (cell: string) => unshownPromises(table(cell), (path) => files.get(path));

  it("are each shown by a test that is there", () => {
    expect(found("[keeps thieves out](door.spec.ts)")).toEqual([]);
    expect(found("believe me")).toEqual(['"a thief" names no test.']);
    expect(found("[keeps thieves out](window.spec.ts)")).toEqual([
      '"a thief" names window.spec.ts, which is not there.',
    ]);
    expect(found("[keeps cats out](door.spec.ts)")[0]).toMatch(/the test "keeps cats out"/);
  });
});

describe("the catalogue of error reasons", () => {
  const source = (text: string) => [{ path: "libs/a/src/a.ts", text }];

  it("finds literals, constants, choices and arguments of helpers, with their status and remedy", () => {
    const text = `
      export const gone = "GONE_AWAY";
      const thrown = (hex: string) => new AimassError("NOT_FOUND", "Gone.", { reason: gone, remedy: \`Send \${hex} again.\` });
      const chosen = new AimassError("ABORTED", "No.", { reason: isLate ? "TOO_LATE" : "TOO_SOON" });
      function invalid(field: string, reason = "USUAL", remedy?: string): AimassError {
        return new AimassError("INVALID_ARGUMENT", field, { reason, remedy });
      }
      throw invalid("a", "UNUSUAL", "Do it right.");
      throw invalid("b");
      const decision = { reason: "NO_ERROR" };`;
    expect(reasonsOf(source(text))).toEqual([
      { name: "GONE_AWAY", codes: ["NOT_FOUND"], remedies: ["Send … again."] },
      { name: "TOO_LATE", codes: ["ABORTED"], remedies: [] },
      { name: "TOO_SOON", codes: ["ABORTED"], remedies: [] },
      { name: "UNUSUAL", codes: ["INVALID_ARGUMENT"], remedies: ["Do it right."] },
      { name: "USUAL", codes: ["INVALID_ARGUMENT"], remedies: [] },
    ]);
  });

  it("is stale when a reason is new, gone, or has no meaning, and keeps the meanings that it has", () => {
    const error = (reason: string) => `throw new AimassError("ABORTED", "No.", { reason: "${reason}" });`;
    const one = reasonsOf(source(error("ONE")));
    const told = catalogueOf(one, "").replace("| ABORTED |  |", "| ABORTED | It is one. |");
    expect(staleReasons(one, told)).toEqual([]);
    expect(staleReasons(one, catalogueOf(one, ""))).toEqual(["ERRORS.md does not say what ONE means."]);
    const both = reasonsOf(source(error("ONE") + error("TWO")));
    expect(staleReasons(both, told)).toHaveLength(1);
    expect(staleReasons([], told)).toHaveLength(1);
    expect(catalogueOf(both, told)).toContain("It is one.");
  });
});
