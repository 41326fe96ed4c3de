export * from "@aimass/api/registry";
