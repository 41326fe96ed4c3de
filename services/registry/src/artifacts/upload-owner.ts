/** Whose an upload is: a principal's, for a project. Principals have no spaces in their ids. */
export function ownerOf(principal: string, project: string): string {
  return `${principal} ${project}`;
}

/** The project an upload is for. */
export function projectOfOwner(owner: string): string {
  return owner.slice(owner.indexOf(" ") + 1);
}
