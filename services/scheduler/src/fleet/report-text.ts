import type { AnnounceNodeRequest, ReplicaInfo } from "@aimass/api/scheduler";

/** Differences in memory below this share of the limit are not worth a write of their own. */
const memorySteps = 50;

/** What of a replica's report the scheduler acts on, as text: two reports with the same text say nothing new to each other. */
export function replicaReportText(report: ReplicaInfo): string {
  const loaded = report.loaded
    .map(
      (v) =>
        `${v.project}.${v.model}@${v.version} ${v.state} ${v.reason} ${Buffer.from(v.parityDigest).toString("hex")}`,
    )
    .sort();
  const { address, incarnation, draining, dedicatedTo, memoryBytesLimit: limit } = report;
  const memory =
    limit > 0n ? ((report.memoryBytesUsed - report.memoryBytesOnDemand) * BigInt(memorySteps)) / limit : 0n;
  return JSON.stringify([address, incarnation, draining, dedicatedTo, String(limit), String(memory), loaded]);
}

/** The same for an agent's report. */
export function nodeReportText(report: AnnounceNodeRequest): string {
  const devices = report.devices.map((d) => `${d.id} ${d.kind} ${d.selector} ${d.memoryBytes}`);
  const total = report.total?.memoryBytes ?? 0n;
  const free = total > 0n ? ((report.free?.memoryBytes ?? 0n) * BigInt(memorySteps)) / total : 0n;
  return JSON.stringify([devices, String(total), String(free)]);
}
