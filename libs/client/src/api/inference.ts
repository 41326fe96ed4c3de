export * from "@aimass/api/inference";
