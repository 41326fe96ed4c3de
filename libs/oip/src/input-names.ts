/**
 * Finds an input by the name that a client gives: as it stands, or without the white space around it, which the header of a dataset may have had ("a, b")
 * and no name of a column has.
 */
export class InputNames<T> {
  readonly #byName: ReadonlyMap<string, T>;

  constructor(inputs: readonly T[], nameOf: (input: T) => string) {
    this.#byName = new Map(inputs.map((input) => [nameOf(input), input]));
  }

  find(name: string): T | undefined {
    return this.#byName.get(name) ?? this.#byName.get(name.trim());
  }
}
