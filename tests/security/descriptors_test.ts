// Strangers who open connections until no descriptor is left: workers, sessions and connections of others outlive it.
import { assert, assertEquals } from "@std/assert";
import { inSession, openSession, post } from "../support/mcp_post.ts";
import { metric } from "../support/metric.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

const MAX_FILES = 300;

/** The gateway under `ulimit -n`. */
async function limitedProgram(folder: string): Promise<string> {
  const [config, main] = ["deno.json", "src/main.ts"].map((file) =>
    new URL(`../../${file}`, import.meta.url).pathname
  );
  const program = `${folder}/sluice`;
  await Deno.writeTextFile(
    program,
    `#!/bin/sh\nulimit -n ${MAX_FILES}\nexec "${Deno.execPath()}" run -A --quiet --config "${config}" "${main}" "$@"\n`,
    { mode: 0o755 },
  );
  return program;
}

/** Opens silent connections, as many as the gateway takes at once. @returns closes them */
async function openSilent(port: number, count: number): Promise<() => void> {
  const opened = await Promise.allSettled(
    Array.from({ length: count }, () => Deno.connect({ hostname: "127.0.0.1", port })),
  );
  const connections = opened.flatMap((each) => each.status === "fulfilled" ? [each.value] : []);
  return () => connections.forEach((connection) => connection.close());
}

Deno.test("Running out of descriptors kills no worker and no session", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const program = await limitedProgram(folder);
    await using sluice = await Sluice.start({ program, env: { WORKERS: "2", BACKPRESSURE: "16" } });
    const token = await sluice.token();
    const sessions = await Promise.all(Array.from({ length: 4 }, () => openSession(sluice, { token })));
    const failures = () =>
      sluice.log().filter(({ event }) => event === "cannot accept connections, listening again soon");
    for (let round = 1; round <= 12; round++) {
      const close = await openSilent(sluice.port, MAX_FILES + 30);
      await waitFor(() => failures().length >= round, { what: `accept failure ${round}` });
      close();
      const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
      await waitFor(
        async () => (await post(sluice, ping, { token, headers: inSession(sessions[0]!) })).status === 200,
        { what: "an answer" },
      );
    }
    for (const sessionId of sessions) {
      const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
      const { status } = await post(sluice, ping, { token, headers: inSession(sessionId) });
      assertEquals(status, 200);
    }
    assertEquals(sluice.log().filter(({ event }) => event === "worker died"), []);
    assertEquals(await sluice.stop(), 0);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("While strangers hold all connections that they get, silent ones make room for users", async () => {
  const folder = await Deno.makeTempDir();
  const closers: (() => void)[] = [];
  try {
    const program = await limitedProgram(folder);
    await using sluice = await Sluice.start({ program, env: { WORKERS: "2", BACKPRESSURE: "16" } });
    const token = await sluice.token();
    const ping = () => post(sluice, { jsonrpc: "2.0", id: 1, method: "ping" }, { token, path: "/rpc" });
    for (let round = 1; round <= 4; round++) {
      closers.push(await openSilent(sluice.port, MAX_FILES + 30));
      await waitFor(async () => (await ping()).status === 200, { what: "an answer" });
    }
    const closed = () => metric(sluice, "sluice_connections_closed_total", "no room");
    await waitFor(async () => await closed() > 0, { what: "the count" });
    assert(await metric(sluice, "sluice_connections_open ") > 0);
    assertEquals(await metric(sluice, "sluice_connections_limit "), MAX_FILES / 2);
    assertEquals(sluice.log().filter(({ event }) => event === "worker died"), []);
  } finally {
    for (const close of closers) close();
    await Deno.remove(folder, { recursive: true });
  }
});
