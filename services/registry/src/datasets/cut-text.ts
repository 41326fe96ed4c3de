/** At most `longest` characters, none of them halved. */
export function cut(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const characters = Array.from(text.slice(0, 2 * longest));
  return characters.length <= longest && text.length <= 2 * longest
    ? text
    : `${characters.slice(0, longest).join("")}…`;
}
