export * from "@aimass/api/auth";
