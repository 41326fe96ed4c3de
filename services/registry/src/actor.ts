/** Who does something, as it is written down with the change. */
export interface Actor {
  /** "user:ada", "service:trainer". */
  readonly id: string;
}
