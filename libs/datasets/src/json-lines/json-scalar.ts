/** A value of a flat JSON object. */
export type JsonScalar = string | number | boolean | null;
