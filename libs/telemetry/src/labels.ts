/** Label values by name. Keep them few: every combination is a series in memory and in every scrape. */
export type Labels = Readonly<Record<string, string>>;
