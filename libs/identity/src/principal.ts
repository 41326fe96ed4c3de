/** Who calls. */
export interface Principal {
  readonly kind: "user" | "service-account" | "service" | "anonymous";
  /** "user:ada", "service-account:ci", "service:router", "anonymous". */
  readonly id: string;
  /** Names of the groups it is in, as the snapshot said when it was authenticated. */
  readonly groups: readonly string[];
  /** Platform roles, as the snapshot said when it was authenticated. */
  readonly roles: readonly string[];
}

/** A caller without a credential. */
export const anonymous: Principal = Object.freeze({
  kind: "anonymous",
  id: "anonymous",
  groups: Object.freeze([]) as readonly string[],
  roles: Object.freeze([]) as readonly string[],
});

/** A service of the mesh acting in its own name. */
export function servicePrincipal(role: string): Principal {
  return { kind: "service", id: `service:${role}`, groups: [], roles: [] };
}

/** The kind a principal's id begins with; undefined for an id that is malformed. */
export function principalKind(id: string): Principal["kind"] | undefined {
  if (id === "anonymous") return "anonymous";
  if (id.startsWith("user:")) return "user";
  if (id.startsWith("service-account:")) return "service-account";
  return id.startsWith("service:") ? "service" : undefined;
}
