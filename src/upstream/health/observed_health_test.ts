import { assertEquals } from "@std/assert";
import { gatewayRow } from "../../../tests/support/catalog_rows.ts";
import { FakeClock } from "../../../tests/support/fake_clock.ts";
import { MemorySink, settle } from "../../../tests/support/fakes.ts";
import { SluiceError } from "../../base/errors.ts";
import type { GatewayHealth } from "../../store/registry/gateway_rows.ts";
import { createLog } from "../../telemetry/log.ts";
import { ObservedHealth } from "./observed_health.ts";

Deno.test("ObservedHealth makes an upstream unreachable whose processes fail, and reachable by one that works", async () => {
  let row = gatewayRow("up");
  const saved: GatewayHealth[] = [];
  let turns = 0;
  const health = new ObservedHealth({
    clock: new FakeClock(),
    log: createLog({ level: "DEBUG", format: "json", sink: new MemorySink() }),
    unhealthyThreshold: 2,
    gateway: (id) => id === "up" ? row : undefined,
    save: (before, found) => {
      saved.push(found);
      row = { ...before, ...found };
      return Promise.resolve(true);
    },
    onTurn: () => turns++,
  });
  const failure = new SluiceError("UPSTREAM_CONNECT_FAILED", { upstream: "up", reason: "it ended" });
  health.saw("up", null);
  health.saw("gone", failure);
  assertEquals(saved, []);
  for (let i = 0; i < 2; i++) {
    health.saw("up", failure);
    await settle();
  }
  assertEquals(saved.map(({ reachable, failedChecks, lastError }) => [reachable, failedChecks, lastError]), [
    [true, 1, failure.message],
    [false, 2, failure.message],
  ]);
  health.saw("up", null);
  await settle();
  health.saw("up", null);
  assertEquals([saved.length, row.reachable, row.lastError, turns], [3, true, null, 2]);
});
