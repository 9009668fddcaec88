import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { loadConfig, type LoadInput } from "../config/load.ts";
import { type Welcome, welcome } from "./welcome.ts";

function text(environment: Record<string, string>, hasDemo = false, setup: Welcome["setup"] = null): string {
  const input: LoadInput = { environment, dotEnv: null, dev: false, overrides: {}, cores: 2 };
  const { config, sources } = loadConfig(input);
  return welcome({ config, sources, program: "/opt/sluice", folder: "/srv/gateway", hasDemo, setup });
}

Deno.test("welcome() shows address, token command, one call and the help, in 80 columns", () => {
  const shown = text({});
  for (
    const line of [
      "with 2 workers.",
      "in /srv/gateway:",
      "  export TOKEN=$(/opt/sluice token --admin)",
      "  curl -s http://127.0.0.1:4444/rpc \\",
      `    -d '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'`,
      "Pages for people: http://127.0.0.1:4444/admin",
      "/opt/sluice import FILE",
      "/opt/sluice connect",
      "/opt/sluice --help",
    ]
  ) assertStringIncludes(shown, line);
  for (const line of shown.split("\n")) assertEquals([line, line.length <= 80], [line, true]);
  assertMatch(text({ WORKERS: "1" }), /with 1 worker\./);
});

Deno.test("welcome() says that the servers of a client's file start, in place of how to register them", () => {
  const shown = text({ MCP_CONFIG: "/home/me/claude_desktop_config.json" });
  assertStringIncludes(shown, "The servers of claude_desktop_config.json start now");
  assertEquals(shown.includes("/opt/sluice import FILE"), false);
  for (const line of shown.split("\n")) assertEquals([line, line.length <= 80], [line, true]);
});

Deno.test("welcome() shows how the first administrator is made, also after an earlier start has written a link", () => {
  const link = `http://127.0.0.1:4444/admin/setup#${"t".repeat(32)}`;
  assertStringIncludes(text({}, false, { link }), `This link makes the first administrator:\n\n  ${link}\n`);
  assertStringIncludes(text({}, false, { link: null }), "  /opt/sluice user add you@example.com --admin\n");
  assertEquals(text({}).includes("administrator"), false);
});

Deno.test("welcome() calls the demo upstream where there is one, in 80 columns", () => {
  const shown = text({}, true);
  for (const line of shown.split("\n")) assertEquals([line, line.length <= 80], [line, true]);
  const [, body] = /-d '(.*?)'\n/s.exec(shown)!;
  const { method, params } = JSON.parse(body!);
  assertEquals([method, params.name, params.arguments.time], ["tools/call", "demo-convert-time", "09:00"]);
});

Deno.test("welcome() tells curl what the gateway's protocol needs, and the token command what the environment gave", () => {
  assertStringIncludes(
    text({ SSL: "true", CERT_FILE: "c", KEY_FILE: "k", HOST: "::" }),
    "curl -s --insecure https://127.0.0.1:4444/rpc",
  );
  assertStringIncludes(text({ HTTP_VERSION: "2" }), "curl -s --http2-prior-knowledge http://");
  const secret = "a-secret-of-more-than-thirty-two-bytes";
  const shown = text({ JWT_SECRET_KEY: secret, DATABASE_URL: "sqlite:////data/mcp.db" });
  assertStringIncludes(shown, "in /srv/gateway and with the same DATABASE_URL, JWT_SECRET_KEY:");
  assertEquals(shown.includes(secret), false);
});
