import type { Migration } from "@aimass/store";

/** Which access tokens of a principal count, told apart by a number and not by clocks. */
export const countTokenGenerations: Migration = {
  name: "0003-token-generation",
  up: `
    alter table principal add column token_generation bigint not null default 0;`,
};
