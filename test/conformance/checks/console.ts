import { findProgram } from "@aimass/testkit";
import { chromium, type Page } from "playwright-core";
import type { TestMesh } from "../../support/test-mesh.ts";
import { type Check, type Finding, finding } from "../check.ts";

const stepTimeoutMs = 15_000;

/** The web console in Chromium, as a person uses it: a wrong password, the right one, the overview, a reload, signing out. */
export function consoleCheck(mesh: TestMesh): Check {
  return {
    name: "the console in Chromium",
    level: "ci",
    needs: ["chromium"],
    run: async () => {
      const executablePath = findProgram("chromium") as string;
      const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
      try {
        const page = await browser.newPage();
        page.setDefaultTimeout(stepTimeoutMs);
        await page.goto(`${mesh.mesh.url()}/console/`);
        return await visit(page, mesh.mesh.adminPassword() as string);
      } finally {
        await browser.close();
      }
    },
  };
}

async function visit(page: Page, password: string): Promise<Finding[]> {
  return [
    await finding("console: a wrong password is refused with a sentence", async () => {
      await signIn(page, "not the password");
      const refusal = page.locator("#sign-in-error", { hasText: /./ });
      await refusal.waitFor();
      return String(await refusal.textContent());
    }),
    await finding("console: signing in shows who one is and what is deployed", async () => {
      await signIn(page, password);
      await page.locator("#overview").waitFor();
      await page.locator("#sign-in").waitFor({ state: "hidden" });
      await page.locator("#replicas tbody tr").first().waitFor();
      return `${await page.locator("#who").textContent()}; ${await page.locator("#models tbody tr").count()} models`;
    }),
    await finding("console: a reload keeps the session, which no script can read", async () => {
      await page.reload();
      await page.locator("#overview").waitFor();
      const cookie = String(await page.evaluate("document.cookie"));
      if (cookie !== "") throw new Error(`A script can read ${cookie}.`);
      return "still signed in";
    }),
    await finding("console: signing out ends it", async () => {
      await page.locator("#sign-out").click();
      await page.locator("#sign-in").waitFor();
      await page.reload();
      await page.locator("#sign-in").waitFor();
      return "signed out, also after a reload";
    }),
  ];
}

async function signIn(page: Page, password: string): Promise<void> {
  await page.locator("input[name=username]").fill("admin");
  await page.locator("input[name=password]").fill(password);
  await page.locator("#sign-in button").click();
}
