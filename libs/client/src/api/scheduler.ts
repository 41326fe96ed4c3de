export * from "@aimass/api/scheduler";
