import type { HeaderFields } from "./call.ts";

/** Copies fields as Node gives them: without pseudo fields, repeated ones joined, symbols left behind. */
export function plainFields(from: Readonly<Record<string, string | string[] | number | undefined>>): HeaderFields {
  const fields: Record<string, string> = {};
  for (const name in from) {
    if (name.charCodeAt(0) === 58) continue;
    const value = from[name];
    if (typeof value === "string") fields[name] = value;
    else if (value !== undefined) fields[name] = Array.isArray(value) ? value.join(", ") : String(value);
  }
  return fields;
}

/** The declared length of a body, if there is one. */
export function declaredLength(headers: HeaderFields): number | undefined {
  const text = headers["content-length"];
  return text === undefined ? undefined : Number(text);
}
