import { SignatureSchema } from "@aimass/api/registry";
import type { Clock } from "@aimass/core";
import { probeModel } from "@aimass/onnx";
import { create } from "@bufbuild/protobuf";
import type { RegistryMetrics } from "../metrics.ts";
import type { Probe } from "./inspection.ts";

/**
 * Tries models with ONNX Runtime in a disposable process. That process also checks that external data stays inside the bundle, before the runtime sees the
 * file: parsing a stranger's graph is nothing for this process.
 */
export function onnxProbe(options: {
  readonly timeoutMs: number;
  readonly memoryLimitBytes: number;
  readonly clock: Clock;
  readonly metrics: RegistryMetrics;
  readonly signal: AbortSignal;
}): Probe {
  const { clock, metrics, ...limits } = options;
  return async (directory) => {
    const startedAt = clock.monotonic();
    try {
      const { signature } = await probeModel({ directory, ...limits });
      metrics.inspections.add(1, { outcome: "accepted" });
      return create(SignatureSchema, signature);
    } catch (error) {
      metrics.inspections.add(1, { outcome: "refused" });
      throw error;
    } finally {
      metrics.inspectionSeconds.record((clock.monotonic() - startedAt) / 1000);
    }
  };
}
