export * from "@aimass/api/trainer";
