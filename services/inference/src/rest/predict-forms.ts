import { AimassError } from "@aimass/core";
import type { PredictForm } from "../codec/read-call.ts";

/** What clients call JSON: curl says that it sends a form, others say nothing of what they know. */
const jsonTypes = new Set([
  "",
  "application/json",
  "text/json",
  "text/plain",
  "application/octet-stream",
  "application/x-www-form-urlencoded",
]);
const csvTypes = new Set(["text/csv", "application/csv"]);

/** How a body of `/predict` is written, by its content type. Throws UNIMPLEMENTED for one that is not read here. */
export function predictForm(contentType: string | undefined): PredictForm {
  const type = mediaType(contentType ?? "");
  if (csvTypes.has(type)) return "predict csv";
  if (jsonTypes.has(type) || type.endsWith("+json")) return "predict";
  throw new AimassError("UNIMPLEMENTED", `Bodies of content type "${type.slice(0, 100)}" are not read here.`, {
    reason: "UNKNOWN_CONTENT_TYPE",
    remedy: "Send application/json or text/csv.",
  });
}

/** Whether the first type that Accept names, of those that are written here, is CSV. */
export function wantsCsv(accept: string | undefined): boolean {
  const types = (accept ?? "").split(",").map(mediaType);
  return csvTypes.has(types.find((type) => csvTypes.has(type) || type === "application/json" || type === "*/*") ?? "");
}

function mediaType(text: string): string {
  return (text.split(";", 1)[0] ?? "").trim().toLowerCase();
}
