export { FakeClock } from "./fake-clock.ts";
export { createTestDatabase, startOwnPostgres, startTestPostgres, type TestDatabase } from "./postgres.ts";
export { type TempDirectory, tempDirectory, withTempDirectory } from "./temp-directory.ts";
export { waitFor } from "./wait-for.ts";
