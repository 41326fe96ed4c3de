/** At most `longest` characters, none of them halved; what is no Unicode becomes U+FFFD, which messages can carry. */
export function cut(text: string, longest: number): string {
  const characters = Array.from(text.slice(0, 2 * longest + 1).toWellFormed());
  if (characters.length > longest) return `${characters.slice(0, longest).join("")}…`;
  return characters.join("");
}
