/** A parameter's value with the type it travelled as. */
export type Parameter =
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "int64"; readonly value: bigint }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "double"; readonly value: number }
  | { readonly kind: "uint64"; readonly value: bigint };

/** Parameters of a request, tensor or answer, by name. */
export type Parameters = ReadonlyMap<string, Parameter>;

/** The shared empty set of parameters. */
export const noParameters: Parameters = new Map();

/** A parameter as a boolean; undefined when absent or of another type. */
export function booleanParameter(parameters: Parameters, name: string): boolean | undefined {
  const parameter = parameters.get(name);
  return parameter?.kind === "bool" ? parameter.value : undefined;
}

/** A whole-number parameter, whichever integer type it travelled as; undefined when absent, of another type or beyond 2^53. */
export function integerParameter(parameters: Parameters, name: string): number | undefined {
  const parameter = parameters.get(name);
  if (parameter === undefined) return undefined;
  if (parameter.kind !== "int64" && parameter.kind !== "uint64" && parameter.kind !== "double") return undefined;
  const value = Number(parameter.value);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** A parameter as text; undefined when absent or of another type. */
export function stringParameter(parameters: Parameters, name: string): string | undefined {
  const parameter = parameters.get(name);
  return parameter?.kind === "string" ? parameter.value : undefined;
}
