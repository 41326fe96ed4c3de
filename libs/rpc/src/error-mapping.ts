import { type ErrorDetail, ErrorDetailSchema } from "@aimass/api/common";
import { AimassError, codeFromNumber, type ErrorFacts, statusCodes } from "@aimass/core";
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";

/** gRPC's own trailer for "not before", in milliseconds: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback */
const pushbackHeader = "grpc-retry-pushback-ms";

/**
 * An error as it goes over the wire: code, the message with its remedy (so that clients which know no details show it too), ErrorDetail, and when to try
 * again. A ConnectError stays itself; what is not an AimassError becomes INTERNAL with a sentence that gives nothing away.
 */
export function toConnectError(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error;
  const aimass = AimassError.from(error);
  const detail = create(ErrorDetailSchema, {
    reason: aimass.reason ?? "",
    field: aimass.field ?? "",
    remedy: aimass.remedy ?? "",
  });
  const headers = new Headers();
  if (aimass.retryAfterMs !== undefined) {
    headers.set(pushbackHeader, String(Math.max(0, Math.round(aimass.retryAfterMs))));
    headers.set("retry-after", String(Math.max(1, Math.ceil(aimass.retryAfterMs / 1000))));
  }
  const details = [{ desc: ErrorDetailSchema, value: detail }];
  return new ConnectError(aimass.advice, statusCodes[aimass.code] as Code, headers, details, aimass);
}

/**
 * What a caller of a client gets to see: an AimassError stays itself; a ConnectError gives back the code, sentence and facts that `toConnectError` put
 * in; anything else goes by the rules of AimassError.from.
 */
export function fromConnectError(error: unknown): AimassError {
  if (error instanceof AimassError) return error;
  if (!(error instanceof ConnectError)) return AimassError.from(error);
  const detail = findDetail(error);
  const pushback = error.metadata.get(pushbackHeader);
  const facts: ErrorFacts = {
    ...(detail?.reason && { reason: detail.reason }),
    ...(detail?.field && { field: detail.field }),
    ...(detail?.remedy && { remedy: detail.remedy }),
    ...(pushback !== null && { retryAfterMs: Number(pushback) }),
    cause: error,
  };
  return new AimassError(codeFromNumber(error.code), withoutRemedy(error.rawMessage, detail?.remedy), facts);
}

/** The ErrorDetail an error carries; undefined when it did not come from one of our services. */
export function findDetail(error: ConnectError): ErrorDetail | undefined {
  for (const detail of error.details) {
    if ("desc" in detail && detail.desc.typeName === ErrorDetailSchema.typeName) {
      return create(ErrorDetailSchema, detail.value as MessageInitShape<typeof ErrorDetailSchema>);
    }
    if ("type" in detail && detail.type === ErrorDetailSchema.typeName) return decodeDetail(detail.value);
  }
  return undefined;
}

function decodeDetail(bytes: Uint8Array): ErrorDetail | undefined {
  try {
    return fromBinary(ErrorDetailSchema, bytes);
  } catch {
    return undefined;
  }
}

function withoutRemedy(message: string, remedy: string | undefined): string {
  return remedy && message.endsWith(` ${remedy}`) ? message.slice(0, -remedy.length - 1) : message;
}

/** Whether an error is our fault and belongs into the log with all it holds. */
export function isInternal(error: ConnectError): boolean {
  return error.code === Code.Internal || error.code === Code.Unknown || error.code === Code.DataLoss;
}
