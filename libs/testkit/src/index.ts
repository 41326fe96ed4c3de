export { freePort } from "@aimass/core";
export { type CheckLevel, type CheckNeeds, describeWith, judgeNeeds, type NeedsVerdict } from "./describe-with.ts";
export { FakeClock } from "./fake-clock.ts";
export { grpcStatusOf } from "./grpc-status.ts";
export { expectNoLeaks, expectNoOpenHandles, openHandles } from "./leak-check.ts";
export { startNats } from "./nats.ts";
export {
  createTestDatabase,
  type MortalServer,
  startMortalPostgres,
  startOwnPostgres,
  startTestPostgres,
  type TestDatabase,
} from "./postgres.ts";
export { findProgram } from "./programs.ts";
export { pythonWith } from "./python.ts";
export { refusal } from "./refusal.ts";
export { type TempDirectory, tempDirectory, withTempDirectory } from "./temp-directory.ts";
export { bestTurn, longestTurn, threadMs } from "./turns.ts";
export { waitFor } from "./wait-for.ts";
