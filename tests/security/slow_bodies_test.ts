// A caller whose request bodies never arrive: the requests count for that caller, and leave others their places.
import { assertEquals } from "@std/assert";
import { post } from "../support/mcp_post.ts";
import { atRest, metric } from "../support/metric.ts";
import { RawConnection } from "../support/raw_http.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test("Requests without their body count for their caller, and others are served", async () => {
  const env = { WORKERS: "2", BACKPRESSURE: "8", MAX_CALLS_PER_CALLER: "4" };
  await using sluice = await Sluice.start({ env });
  await atRest(sluice);
  const [ann, eve] = await Promise.all(
    ["ann", "eve"].map((username) => sluice.token({ username, admin: false })),
  );
  const half = new TextEncoder().encode(
    `POST /rpc HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${eve}\r\n` +
      "content-type: application/json\r\ncontent-length: 9\r\n\r\n{",
  );
  const connections = await Promise.all(Array.from({ length: 60 }, () => RawConnection.open(sluice.port)));
  const refusals: number[] = [];
  for (const [i, connection] of connections.entries()) {
    await connection.send(half);
    connection.receive().then(({ status }) => refusals.push(status), () => {});
    // One after the other: a burst would meet BACKPRESSURE before its token is verified, and be answered 503.
    await waitFor(
      async () => refusals.length + await metric(sluice, "sluice_requests_in_flight ") === i + 1,
      {
        what: `request ${i} to be held or refused`,
      },
    );
  }
  assertEquals(refusals, Array(60 - 2 * 4).fill(429));
  assertEquals(await metric(sluice, "sluice_requests_in_flight "), 2 * 4);
  for (let n = 0; n < 20; n++) {
    const ping = { jsonrpc: "2.0", id: n, method: "ping" };
    assertEquals((await post(sluice, ping, { token: ann!, path: "/rpc" })).status, 200);
  }
  for (const connection of connections) connection.close();
  await atRest(sluice);
});
