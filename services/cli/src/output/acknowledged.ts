import type { Acknowledgement } from "@aimass/api/auth";

/** One sentence: who enforces a change already. */
export function acknowledged(ack: Acknowledgement | undefined): string {
  if (ack === undefined) return "";
  if (ack.missing.length === 0) return `In force on all ${ack.acknowledged.length} enforcers.`;
  return `In force on ${ack.acknowledged.length} enforcers; not yet on ${ack.missing.join(", ")}.`;
}
