import { assertEquals } from "@std/assert";
import { FakeClock } from "../../../../tests/support/fake_clock.ts";
import { MemorySink } from "../../../../tests/support/fakes.ts";
import { loadConfig } from "../../../config/load.ts";
import { createLog } from "../../../telemetry/log.ts";
import { storeSweep } from "./store_sweep.ts";

Deno.test("storeSweep() sweeps every table, also after one that fails, and logs that one", async () => {
  const swept: string[] = [];
  const table = (name: string) => ({
    sweep: () => {
      swept.push(name);
      return name === "oauth" ? Promise.reject(new Error("disk full")) : Promise.resolve();
    },
  });
  const { config } = loadConfig({ environment: {}, dotEnv: null, dev: false, overrides: {}, cores: 2 });
  const sink = new MemorySink();
  const sweep = storeSweep(config, {
    registry: {
      people: { sso: table("sso") },
      oauth: table("oauth"),
      upstreamTokens: table("upstream tokens"),
      revokedTokens: table("revoked tokens"),
      apiTokens: table("API tokens"),
      tokenUses: table("uses"),
    },
    auditRecords: {
      sweepAll: () => {
        swept.push("audit");
        return Promise.resolve();
      },
    },
    executions: null,
    clock: new FakeClock(),
    log: createLog({ level: "ERROR", format: "json", sink }),
  });
  await sweep();
  assertEquals(swept, ["audit", "sso", "oauth", "upstream tokens", "revoked tokens", "API tokens", "uses"]);
  assertEquals(sink.lines.length, 1);
  assertEquals(sink.lines[0]!.includes("OAuth clients and logins not swept"), true);
});
