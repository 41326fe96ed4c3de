/** What one check found. */
export interface Finding {
  /** What was looked at: "disk", "port 5000", "registry". */
  readonly check: string;
  /** "warning": a mesh runs, with less than it could; "problem": it does not run, or not for long. */
  readonly state: "ok" | "warning" | "problem";
  /** One sentence with the values. */
  readonly found: string;
  /** What mends it; there unless all is well. */
  readonly remedy?: string;
}

export function ok(check: string, found: string): Finding {
  return { check, state: "ok", found };
}

export function warning(check: string, found: string, remedy: string): Finding {
  return { check, state: "warning", found, remedy };
}

export function problem(check: string, found: string, remedy: string): Finding {
  return { check, state: "problem", found, remedy };
}
