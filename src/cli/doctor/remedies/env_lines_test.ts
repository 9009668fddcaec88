import { assertEquals, assertStringIncludes } from "@std/assert";
import { loadConfig } from "../../../config/load.ts";
import type { Finding } from "../finding.ts";
import { remediesFor, remediesText } from "./env_lines.ts";

function finding(id: string, fix: string): Finding {
  return { id, severity: "warning", found: "It is.", why: "It matters.", fix, page: "doctor" };
}

function remedies(
  findings: readonly Finding[],
  dotEnv: string | null,
  environment: Record<string, string> = {},
) {
  const loaded = loadConfig({ environment, dotEnv, dev: false, overrides: {}, cores: 2 });
  return remediesFor(findings, loaded, dotEnv);
}

Deno.test("remediesFor() replaces the line that is there, by whatever name, and adds the others", () => {
  const dotEnv = "# mine\nGRANIAN_WORKERS=8\nJWT_SECRET_KEY=pX2mV7qLr9TzKd4WnYb8HsGc3FjE6aUh\n";
  const found = [finding("machine.cores", "WORKERS=2"), finding("settings.dev_mode", "DEV_MODE=false")];
  const { text, changes } = remedies(found, dotEnv);
  assertEquals(text, "# mine\nWORKERS=2\nJWT_SECRET_KEY=pX2mV7qLr9TzKd4WnYb8HsGc3FjE6aUh\nDEV_MODE=false\n");
  assertEquals(changes, [
    { name: "WORKERS", before: "GRANIAN_WORKERS=8", after: "WORKERS=2" },
    { name: "DEV_MODE", before: null, after: "DEV_MODE=false" },
  ]);
  // Two names of one setting in one file.
  assertEquals(remedies([found[0]!], "WORKERS=8\nGRANIAN_WORKERS=8\n").text, "WORKERS=2\n");
  assertEquals(remedies([found[0]!], null).text, "WORKERS=2\n");
});

Deno.test("remediesFor() leaves secrets, access and the kernel to the operator, and names what the environment overrules", () => {
  const found = [
    finding(
      "settings.secret_weak",
      "printf '\\n%s\\n' \"JWT_SECRET_KEY=$(openssl rand -base64 48)\" >> .env",
    ),
    finding("settings.anonymous", "AUTH_REQUIRED=true"),
    finding("running.refused", "BACKPRESSURE=1024"),
    finding("machine.somaxconn", "sysctl -w net.core.somaxconn=2048"),
    finding("sqlite.mode", "chmod 600 mcp.db"),
    finding("machine.cores", "WORKERS=2"),
  ];
  const all = remedies(found, "PORT=4444\n", { WORKERS: "9" });
  assertEquals([all.changes, all.text], [[], "PORT=4444\n"]);
  assertEquals(all.commands, ["sysctl -w net.core.somaxconn=2048", "chmod 600 mcp.db"]);
  assertEquals(all.left, ["settings.secret_weak", "settings.anonymous", "running.refused"]);
  const text = remediesText(all, null);
  assertStringIncludes(
    text,
    "WORKERS comes from the environment, which wins over .env: change it there to 2.",
  );
  assertStringIncludes(text, "  sysctl -w net.core.somaxconn=2048");
});
