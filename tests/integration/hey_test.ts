// The tuning guide's own load test: hey with its payload, 10,000 requests from 200 clients.

import { assert, assertEquals, assertMatch } from "@std/assert";
import { FastUpstream } from "../support/fast_upstream.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { canLeaveOut } from "../support/programs.ts";

const PAYLOAD = {
  jsonrpc: "2.0",
  id: 1,
  method: "convert_time",
  params: { source_timezone: "Europe/Berlin", target_timezone: "Europe/Dublin", time: "09:00" },
};

gatewayTest(
  "/rpc answers the guide's hey run with 10,000 times 200, every reply right",
  async (start) => {
    const upstream = FastUpstream.start();
    try {
      await using sluice = await start();
      await sluice.registerUpstream("time", upstream.url);
      const token = await sluice.token();

      // hey looks at no body: while it runs, replies are read here.
      let running = true;
      const replies = readReplies(sluice, token, () => running);
      const report = await hey(sluice, token);
      running = false;
      const read = await replies;

      assertMatch(report, /\[200\]\s+10000 responses/);
      assert(!report.includes("Error distribution"), report);
      assert(read > 10, `only ${read} replies were read`);
      assertEquals(sluice.log().filter(({ level }) => level === "ERROR"), []);
    } finally {
      await upstream.close();
    }
  },
  { ignore: canLeaveOut("hey") },
);

async function hey(sluice: Gateway, token: string): Promise<string> {
  const payload = await Deno.makeTempFile({ prefix: "sluice_hey_", suffix: ".json" });
  await Deno.writeTextFile(payload, JSON.stringify(PAYLOAD));
  const { stdout, stderr } = await new Deno.Command("hey", {
    args: [
      ...["-n", "10000", "-c", "200", "-m", "POST", "-T", "application/json"],
      ...["-H", `Authorization: Bearer ${token}`, "-D", payload, `${sluice.url}/rpc`],
    ],
  }).output();
  await Deno.remove(payload);
  return new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
}

/** Calls one after the other as long as `going`. @returns how many replies it read, each of them right */
async function readReplies(sluice: Gateway, token: string, going: () => boolean): Promise<number> {
  let read = 0;
  for (; going(); read++) {
    const { status, body } = await sluice.api("POST", "/rpc", { ...PAYLOAD, id: read }, token);
    assertEquals([status, body.id], [200, read]);
    const { source, target, time_difference } = JSON.parse(body.result.content[0].text);
    assertMatch(source.datetime, /T09:00:00\+0[12]:00$/);
    assertMatch(target.datetime, /T08:00:00\+0[01]:00$/);
    assertEquals(time_difference, "-1.0h");
  }
  return read;
}
