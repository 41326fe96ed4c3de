import { expect } from "vitest";

/** Signs of the inside: a stack, a path of this machine, a module, a class of an error. */
const leaks = [
  /\n\s+at /,
  /\bat \S+ \(.*:\d+:\d+\)/,
  /node_modules|node:internal|\.(?:ts|js|cc|cpp|h):\d+/,
  /(?:^|[\s"'(])\/(?:home|root|tmp|usr|var|opt|work|private|Users)\//,
  /\[object |\bundefined\b|\bis NaN\b|TypeError|ReferenceError|RangeError|ECONN/,
];

/** Fails unless a message is a sentence for people that gives nothing of the inside away. */
export function expectHelpful(message: string): void {
  expect(message.length).toBeGreaterThan(15);
  for (const leak of leaks) expect(message).not.toMatch(leak);
}

/** The sentence in an error of REST. */
export function restError(text: string): string {
  const { error } = JSON.parse(text) as { error: string };
  expect(error).toBeTypeOf("string");
  return error;
}
