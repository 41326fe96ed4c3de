export { createDatabase, dropDatabase, withDatabase } from "./database.ts";
export { type EmbeddedPostgres, type EmbeddedPostgresOptions, startEmbeddedPostgres } from "./embedded-postgres.ts";
export { hasDatabase } from "./home.ts";
export { findPlatformPackage, type PlatformPackage } from "./platform-package.ts";
