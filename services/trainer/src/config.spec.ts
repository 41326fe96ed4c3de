import { describe, expect, it } from "vitest";
import { readTrainerConfig } from "./config.ts";

const required = {
  AIMASS_IDENTITY_FILE: "/id",
  AIMASS_TRUST_FILE: "/trust",
  AIMASS_DATABASE_URL: "postgres://localhost/x",
  AIMASS_AUTH_ADDRESSES: "127.0.0.1:1",
  AIMASS_REGISTRY_ADDRESSES: "127.0.0.1:1",
  AIMASS_STATE_DIR: "/state",
};
const scriptSettings = {
  AIMASS_SCRIPT_PATHS: "/opt/training",
  AIMASS_SCRIPT_SECONDS: "30",
  AIMASS_SCRIPT_MEMORY_MB: "64",
  AIMASS_SCRIPT_CPUS: "1",
  AIMASS_SCRIPT_PROCESSES: "16",
  AIMASS_SCRIPT_DISK_MB: "64",
  AIMASS_SCRIPT_GPUS: "0",
};

describe("a setting for scripts of a trainer", () => {
  it.each(Object.entries(scriptSettings))("that is told nothing of scripts is refused: %s alone", (name, value) => {
    expect(() => readTrainerConfig({ ...required, [name]: value })).toThrow(`${name} without AIMASS_SCRIPTS`);
  });

  it.each(["off", "bubblewrap", "unsafe-process"])("goes with AIMASS_SCRIPTS=%s", (isolation) => {
    const env = { ...required, ...scriptSettings, AIMASS_SCRIPTS: isolation };
    expect(readTrainerConfig(env).scripts.isolation).toBe(isolation);
  });

  it("may be empty, as compose files leave what is not set", () => {
    expect(readTrainerConfig({ ...required, AIMASS_SCRIPT_PATHS: "" }).scripts.isolation).toBe("off");
  });

  it("that waits for scripts which are off is named, and so is none where they run", () => {
    const env = { ...required, ...scriptSettings };
    expect(readTrainerConfig({ ...env, AIMASS_SCRIPTS: "off" }).unusedSettings).toEqual(Object.keys(scriptSettings));
    expect(readTrainerConfig({ ...env, AIMASS_SCRIPTS: "bubblewrap" }).unusedSettings).toEqual([]);
  });

  it("that lets a script run longer than its job is refused", () => {
    const env = { ...required, AIMASS_SCRIPTS: "bubblewrap", AIMASS_SCRIPT_SECONDS: "60" };
    expect(() => readTrainerConfig({ ...env, AIMASS_TRAINER_JOB_SECONDS: "30" })).toThrow(
      "AIMASS_SCRIPT_SECONDS is 60 and AIMASS_TRAINER_JOB_SECONDS is 30; AIMASS_SCRIPT_SECONDS may be 30 at most",
    );
  });
});
