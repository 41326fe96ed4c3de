import { expect } from "vitest";
import type { CommandResult } from "./command.ts";

/** Fails unless a command ended with a status and a sentence, and printed nothing else and nothing of the inside. */
export function expectFailure(result: CommandResult, status: number, sentence: RegExp): void {
  expect(result.stderr).toMatch(sentence);
  expect(result.status).toBe(status);
  expect(result.stderr).not.toMatch(/\n\s+at |node_modules|undefined/);
  expect(result.stdout).toBe("");
}
