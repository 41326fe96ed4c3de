export * from "@aimass/api/common";
