/** Someone who wants to read: what they may see, asked of the policy when needed. */
export interface Reader {
  /** "user:ada". */
  readonly principal: string;
  /** Whether they may do `verb` on `resource`. */
  may(verb: string, resource: string): boolean;
  /** Whether they may bring files to a project. */
  mayUpload(project: string): boolean;
  /** A service of the mesh in its own name: not bound to projects. */
  readonly isService: boolean;
}
