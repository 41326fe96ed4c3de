import type { Migration } from "@aimass/store";

/** Principals that were deleted: one made later with the same name must not be taken for them by tokens that are still about. */
export const rememberFormerPrincipals: Migration = {
  name: "0004-former-principals",
  up: `
    create table former_principal (
      id text primary key,
      token_generation bigint not null
    );`,
};
