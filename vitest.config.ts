import { availableParallelism } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Unit tests sit beside the source; tests that cross services sit in test/integration. Both need Node and npm alone. */
export default defineConfig({
  test: {
    include: ["libs/**/*.spec.ts", "services/**/*.spec.ts", "test/repo/**/*.spec.ts", "test/integration/**/*.spec.ts"],
    pool: "forks",
    // Many of them wait for processes more than they compute.
    maxWorkers: Math.min(4, Math.max(3, availableParallelism())),
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The many processes that tests start keep their compiled modules for each other.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, "node_modules/.cache/aimass-code") },
    // No second tries: a test that may need one says so itself, and the run names it.
    retry: 0,
    reporters: ["default", "./test/support/skipped-reporter.ts", "./test/support/retried-reporter.ts"],
  },
});
