import { Health, HealthCheckResponse_ServingStatus as Status } from "@aimass/api/health";
import { AimassError, abortError } from "@aimass/core";
import type { DescService } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";

/** gRPC health checking: https://github.com/grpc/grpc/blob/master/doc/health-checking.md. Serving until draining begins. */
export function createHealthService(
  services: readonly DescService[],
  draining: AbortSignal,
): { service: typeof Health; implementation: ServiceImpl<typeof Health> } {
  const known = new Set(["", ...services.map((s) => s.typeName)]);
  const now = () => ({ status: draining.aborted ? Status.NOT_SERVING : Status.SERVING });
  return {
    service: Health,
    implementation: {
      check({ service }) {
        if (known.has(service)) return now();
        throw new AimassError("NOT_FOUND", `This server does not have the service "${service}".`);
      },
      async *watch({ service }, { signal }) {
        if (!known.has(service)) yield { status: Status.SERVICE_UNKNOWN };
        else {
          yield now();
          if (draining.aborted) return;
        }
        await aborted(signal, draining);
        if (signal.aborted) throw abortError(signal);
        if (known.has(service)) yield now();
      },
    },
  };
}

function aborted(...signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
