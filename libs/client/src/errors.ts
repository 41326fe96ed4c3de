import { ErrorDetailSchema } from "@aimass/api/common";
import { AimassError, codeFromNumber, codeOfHttpStatus, type ErrorFacts } from "@aimass/core/errors";
import { ConnectError } from "@connectrpc/connect";

/** What any failure of a call says: code, sentence, and where the mesh says them reason, field and remedy (ERRORS.md). */
export function errorOf(thrown: unknown): AimassError {
  if (!(thrown instanceof ConnectError)) return AimassError.from(thrown);
  const detail = thrown.findDetails(ErrorDetailSchema)[0];
  const remedy = detail?.remedy || undefined;
  const message = remedy === undefined ? thrown.rawMessage : thrown.rawMessage.replace(` ${remedy}`, "");
  return new AimassError(codeFromNumber(thrown.code), message, {
    ...(detail?.reason && { reason: detail.reason }),
    ...(detail?.field && { field: detail.field }),
    ...(remedy !== undefined && { remedy }),
    ...retryAfter(thrown.metadata),
    cause: thrown,
  });
}

/** The failure that an answer of REST tells; `text` is its body. */
export function errorOfResponse(response: Response, text: string): AimassError {
  return new AimassError(
    codeOfHttpStatus(response.status),
    sentenceOf(text) ?? `The server answered ${response.status}.`,
    retryAfter(response.headers),
  );
}

function sentenceOf(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === "string" ? error : undefined;
  } catch {
    return undefined;
  }
}

function retryAfter(headers: Headers): Pick<ErrorFacts, "retryAfterMs"> {
  const seconds = Number(headers.get("retry-after") ?? "");
  return seconds > 0 ? { retryAfterMs: seconds * 1000 } : {};
}
