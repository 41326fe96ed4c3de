import { AimassError } from "@aimass/core";
import type { HeaderFields } from "@aimass/h2";
import { parseModelName } from "@aimass/identity";
import type { Servable } from "../servables/servable.ts";
import type { ServableSet } from "../servables/servable-set.ts";

/**
 * The servable a call is for: what the router resolved (`aimass-model`, `aimass-version`), else the name and digits the request carries itself; without a version the
 * newest that is ready. Throws UNAVAILABLE when it is not loaded here: another replica may have it.
 */
export function findServable(
  servables: ServableSet,
  headers: HeaderFields,
  asked: { name: string; version: string },
): Servable {
  const model = headers["aimass-model"] ?? fullName(asked.name);
  const version = headers["aimass-version"] ?? asked.version;
  const found =
    version === ""
      ? servables.ofModel(model).find((servable) => servable.state.kind === "ready")
      : servables.get(`${model}/${version}`);
  if (found !== undefined) return found;
  const what = version === "" ? model : `${model}/${version}`;
  throw new AimassError("UNAVAILABLE", `${what} is not loaded here.`, { reason: "NOT_LOADED" });
}

function fullName(name: string): string {
  const { project, model } = parseModelName(name);
  return `${project}.${model}`;
}
