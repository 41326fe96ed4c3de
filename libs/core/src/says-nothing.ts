/** With white space around it. */
const longestSaying = 100;

/** Signs that stand for nothing, and words that say so, in any case. */
const signs = /^[\s?.\-–—_*#!~/\\…]*$/;
const sayings = new Set(
  (
    "na|n/a|n.a.|n.a|#n/a|#n/a n/a|#na|nan|-nan|null|nil|none|missing|unknown|unk|undefined|unspecified|not available|not applicable|not known|" +
    "not recorded|no data|nodata|nd|n.d.|(null)|<null>|<na>|\\n|#value!|#div/0!|#ref!|#name?|#num!|#null!|1.#ind|-1.#ind|1.#qnan|-1.#qnan"
  ).split("|"),
);

/** Whether a text stands for nothing, or says that there is no value. */
export function saysNothing(text: string): boolean {
  if (text.length > longestSaying) return false;
  const word = text.trim();
  return signs.test(word) || sayings.has(word.toLowerCase());
}
