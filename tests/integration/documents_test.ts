// What the gateway says about itself: /openapi.json, /docs and /.
import { assert, assertEquals } from "@std/assert";
import { Chromium } from "../support/chromium.ts";
import { npmProgram } from "../support/npm_programs.ts";
import { canLeaveOut } from "../support/programs.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test("/openapi.json is a valid OpenAPI 3.1 document, which anybody may read and revalidate", async () => {
  await using sluice = await Sluice.start({ env: { APP_ROOT_PATH: "/gateway" } });
  const zipped = { "accept-encoding": "gzip" };
  const response = await fetch(`${sluice.url}/openapi.json`, { headers: zipped });
  const text = await response.text();
  assertEquals([response.status, response.headers.get("content-type")], [200, "application/json"]);
  await assertValid(text);
  assertEquals(JSON.parse(text).servers[0].url, "/gateway");

  const etag = response.headers.get("etag")!;
  const again = await fetch(`${sluice.url}/gateway/openapi.json`, {
    headers: { ...zipped, "if-none-match": etag },
  });
  assertEquals([again.status, await again.text()], [304, ""]);
  // Each form has a tag of its own.
  for (const coding of ["gzip", "br", "identity"]) {
    const { stdout } = await new Deno.Command("curl", {
      args: [
        "-si",
        "-H",
        `Accept-Encoding: ${coding}`,
        "-H",
        `If-None-Match: ${etag}`,
        `${sluice.url}/openapi.json`,
      ],
    }).output();
    const status = new TextDecoder().decode(stdout.slice(0, 12));
    assertEquals([coding, status], [coding, coding === "gzip" ? "HTTP/1.1 304" : "HTTP/1.1 200"]);
  }
  const head = await fetch(`${sluice.url}/openapi.json`, { method: "HEAD" });
  assertEquals([head.status, await head.text()], [200, ""]);
  for (const path of ["/", "/docs", "/openapi.json"]) {
    const { status, body, headers } = await sluice.api("POST", path, {});
    assertEquals([status, body.code, headers.get("allow")], [405, "METHOD_NOT_ALLOWED", "GET"]);
  }
});

Deno.test("/ tells a browser and a program where the endpoints are, below the proxy's prefix", async () => {
  await using sluice = await Sluice.start({ env: { TRUSTED_PROXY_NETWORKS: "127.0.0.0/8" } });
  const at = async (accept: string, prefix: string) => {
    const response = await fetch(`${sluice.url}/`, { headers: { accept, "x-forwarded-prefix": prefix } });
    assertEquals([response.status, response.headers.get("vary")], [200, "Accept, Accept-Encoding"]);
    return await response.text();
  };
  const { name, endpoints } = JSON.parse(await at("*/*", "/one"));
  assertEquals([name, endpoints.mcp, endpoints.docs], ["sluice", "/one/mcp", "/one/docs"]);
  assertEquals(JSON.parse(await at("*/*", "/two")).endpoints.rpc, "/two/rpc");
  assertEquals(JSON.parse(await at("*/*", '/"><script>')).endpoints.rpc, "/rpc");
  const page = await at("text/html,application/xhtml+xml,*/*;q=0.8", "/one");
  for (const part of ['href="/one/docs"', "/one/mcp", "sluice connect", "sluice token", "sluice help"]) {
    assert(page.includes(part), `the page lacks ${part}`);
  }
});

Deno.test("the curl lines of /docs that read without an id can be run as they are shown", async () => {
  // Without these, there are no identity providers and no events of logins to list.
  await using sluice = await Sluice.start({ env: { SSO_ENABLED: "true", AUDIT_TRAIL_ENABLED: "true" } });
  // Some lines read what belongs to the caller's own user record.
  const caller = { email: "admin@example.com", password: "A-long-Password-7", is_admin: true };
  assertEquals((await sluice.api("POST", "/auth/email/admin/users", caller)).status, 201);
  const page = await (await fetch(`${sluice.url}/docs`)).text();
  const lines = [...page.matchAll(/<code>(curl [^<]*)<\/code>/g)].map(([, line]) =>
    line.replaceAll("&quot;", '"')
  );
  // A browser follows /oauth/authorize to a page.
  const reads = lines.filter((line) => !/ -X | -N |[/=][A-Z]+\b|\/oauth\/authorize/.test(line));
  assert(reads.length >= 20, `${reads}`);
  const { stdout } = await new Deno.Command("bash", {
    args: ["-c", reads.map((line) => `${line} -s -o /dev/null -w '%{http_code}\n'`).join("\n")],
    env: { SLUICE: sluice.url, TOKEN: await sluice.token() },
  }).output();
  const statuses = new TextDecoder().decode(stdout).trim().split("\n");
  assertEquals(statuses.map((status, i) => `${status} ${reads[i]}`), reads.map((line) => `200 ${line}`));
});

Deno.test({
  name: "/docs and / can be read in Chromium, on a phone and a desktop, with the keyboard alone",
  ignore: canLeaveOut("chromium"),
  fn: async () => {
    await using sluice = await Sluice.start();
    await using chromium = await Chromium.start();
    await chromium.send("Network.enable");
    for (const [path, heading] of [["/", "Sluice"], ["/docs", "Sluice REST API"]]) {
      for (const [width, theme] of [[390, "light"], [1440, "dark"]] as const) {
        await chromium.open(sluice.url + path, { width, height: 844, theme });
        // Every group is opened, as a reader might.
        const seen = await chromium.evaluate(`
          document.querySelectorAll("details").forEach((each) => each.open = true);
          const back = getComputedStyle(document.body).backgroundColor;
          ({
            heading: document.querySelector("h1").textContent,
            isDark: back.match(/\\d+/g).every((part) => Number(part) < 64),
            overflow: document.documentElement.scrollWidth - innerWidth,
            isStyled: getComputedStyle(document.querySelector("main")).paddingTop !== "0px",
          })`);
        assertEquals(
          seen,
          { heading, isDark: theme === "dark", overflow: 0, isStyled: true },
          `${path} ${width}`,
        );
      }
    }
    await chromium.open(`${sluice.url}/docs`, { width: 1440, height: 844, theme: "light" });
    // The first stop of the keyboard skips the contents.
    await chromium.press("Tab");
    assertEquals(await chromium.evaluate("document.activeElement.getAttribute('href')"), "#top");
    await chromium.evaluate("document.querySelector('details.operation > summary').focus()");
    await chromium.press("Enter");
    assert(await chromium.evaluate("document.querySelector('details.operation').open"));
    await chromium.open(`${sluice.url}/docs#createGateway`, { width: 390, height: 844, theme: "light" });
    await waitFor(
      () => chromium.evaluate("document.getElementById('createGateway').closest('details').open"),
      { what: "the operation of the address to be open" },
    );
    assertEquals(chromium.messages, []);
    // The policy lets nothing run or load, not even what stands in the page itself.
    const ran = await chromium.evaluate(`new Promise((resolve) => {
      document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => resolve(effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "globalThis.ran = true";
      document.body.append(script);
    })`);
    assertEquals(ran, "script-src-elem");
  },
});

async function assertValid(document: string): Promise<void> {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(file, document);
    const { command, args } = npmProgram("validate-api", file);
    const { stdout } = await new Deno.Command(command, { args }).output();
    assertEquals(JSON.parse(new TextDecoder().decode(stdout)), { valid: true });
  } finally {
    await Deno.remove(file);
  }
}
