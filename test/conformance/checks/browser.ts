import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { findProgram } from "@aimass/testkit";
import { build } from "esbuild";
import { type Browser, chromium } from "playwright-core";
import type { TestMesh } from "../../support/test-mesh.ts";
import { type Check, type Finding, finding } from "../check.ts";

const pageTimeoutMs = 30_000;

/** A page of its own origin, served by a small server. */
export class PageServer {
  readonly origin: string;
  private readonly server: Server;
  private readonly script: { text: string };

  private constructor(server: Server, script: { text: string }) {
    this.server = server;
    this.script = script;
    this.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async open(): Promise<PageServer> {
    const script = { text: "" };
    const server = createServer((request, response) => {
      const isScript = request.url === "/page.js";
      response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html" });
      response.end(
        isScript ? script.text : '<!doctype html><title>page</title><script type="module" src="/page.js"></script>',
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new PageServer(server, script);
  }

  async bundle(): Promise<void> {
    const entry = fileURLToPath(new URL("../browser/page.ts", import.meta.url));
    const built = await build({ entryPoints: [entry], bundle: true, write: false, format: "esm", target: "es2024" });
    this.script.text = built.outputFiles[0]?.text ?? "";
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }
}

/** A Connect-web page in Chromium: allowed from its own origin, and kept out from another. */
export function browserCheck(mesh: TestMesh, page: PageServer): Check {
  return {
    name: "Connect-web in Chromium",
    level: "ci",
    needs: ["chromium"],
    run: async () => {
      await page.bundle();
      const executablePath = findProgram("chromium") as string;
      const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
      try {
        return [...(await pageFindings(browser, page.origin, mesh)), await keptOut(browser, mesh)];
      } finally {
        await browser.close();
      }
    },
  };
}

async function pageFindings(browser: Browser, origin: string, mesh: TestMesh): Promise<Finding[]> {
  const tab = await browser.newPage();
  const problems: string[] = [];
  tab.on("pageerror", (error) => problems.push(error.message));
  await tab.goto(`${origin}/#${encodeURIComponent(JSON.stringify({ baseUrl: mesh.mesh.url(), apiKey: mesh.apiKey }))}`);
  try {
    const handle = await tab.waitForFunction("window.findings", undefined, { timeout: pageTimeoutMs });
    return (await handle.jsonValue()) as Finding[];
  } catch (error) {
    return [{ name: "browser: the page", outcome: "failed", note: problems.join("; ") || String(error) }];
  }
}

/** The same call from a page of an origin that is not allowed must not be answered to it. */
function keptOut(browser: Browser, mesh: TestMesh): Promise<Finding> {
  return finding("browser: a page of another origin is kept out", async () => {
    const stranger = await PageServer.open();
    try {
      await stranger.bundle();
      const findings = await pageFindings(browser, stranger.origin, mesh);
      const through = findings.filter((one) => one.outcome === "passed");
      if (through.length > 0) throw new Error(`it got answers: ${through.map((one) => one.name).join(", ")}`);
      return findings[0]?.note ?? "";
    } finally {
      stranger.close();
    }
  });
}
