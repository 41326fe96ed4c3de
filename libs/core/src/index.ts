export { AllowedHosts, hostOf } from "./allowed-hosts.ts";
export { Backoff, type BackoffOptions, keepTrying } from "./backoff.ts";
export { type Clock, systemClock } from "./clock.ts";
export { closest, didYouMean } from "./closest.ts";
export {
  type Address,
  ConfigError,
  type Environment,
  formatAddress,
  parseAddress,
  readConfig,
  readListeners,
  type Variables,
} from "./config.ts";
export {
  type DateOrder,
  type DatePattern,
  datePattern,
  datePatterns,
  isDateOrder,
  type ReadDate,
  readDate,
} from "./date-pattern.ts";
export {
  answerOf,
  lentEnvironment,
  type ProcessBounds,
  type ProcessOutcome,
  residentBytes,
} from "./disposable-process.ts";
export { AimassError, type Code, codeFromNumber, codeOfHttpStatus, type ErrorFacts, statusCodes } from "./errors.ts";
export { freePort, isFree, listenFailure } from "./free-port.ts";
export { atOnce, inTurns, type Pieces } from "./in-turns.ts";
export { dateKind, timeOfIso } from "./iso-date.ts";
export { CopyTurns, copyInTurns, joinPieces, nextTurn, ownMemory, turnBytes } from "./join-pieces.ts";
export { KeyedLock } from "./keyed-lock.ts";
export { makeFolder } from "./make-folder.ts";
export { NewestSaver, type NewestSaverOptions } from "./newest-saver.ts";
export { isPlainFormat, type NumberFormat, plainNumber, type SignProblem, signProblem } from "./number-format.ts";
export { processCommand, processIdentity } from "./process-identity.ts";
export { type ProcessLock, processLockHolder, takeProcessLock } from "./process-lock.ts";
export { PushStream } from "./push-stream.ts";
export { fromRefusal, type Refusal, toRefusal } from "./refusal.ts";
export { saysNothing } from "./says-nothing.ts";
export { Semaphore } from "./semaphore.ts";
export { type FoundSeparator, findSeparator, isSeparator, separatorLine } from "./separators.ts";
export { exitUsage, type RunningService, runService } from "./service-process.ts";
export { abortError, deadlineSignal, linkedSignal, type ScopedSignal } from "./signals.ts";
export { ThreadLane, workInLane } from "./thread-lane.ts";
export { writeWhole } from "./write-whole.ts";
