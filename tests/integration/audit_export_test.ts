// The audit trail in other systems: a file, a real syslog server, TLS, and a webhook, which may fail without losing a record.
import { assert, assertEquals } from "@std/assert";
import { createHmac } from "node:crypto";
import { endChild } from "../support/end_child.ts";
import { freePort } from "../support/free_port.ts";
import { metric } from "../support/metric.ts";
import { canLeaveOut, findProgram } from "../support/programs.ts";
import { makeSelfSigned } from "../support/self_signed.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

// deno-lint-ignore no-explicit-any -- JSON of records
type Json = any;

const SECRET = "a-secret-for-the-webhook-of-the-test";
const ON = { AUDIT_TRAIL_ENABLED: "true" };

/** rsyslog takes UDP and TCP at one port, parses RFC 5424, and writes what it understood as lines of JSON. */
async function startRsyslog(folder: string, port: number): Promise<Deno.ChildProcess> {
  const config = `
module(load="imudp") module(load="imtcp")
global(workDirectory="${folder}" maxMessageSize="64k")
input(type="imudp" port="${port}" address="127.0.0.1") input(type="imtcp" port="${port}" address="127.0.0.1")
template(name="seen" type="list") {
  property(name="jsonmesg") constant(value="\\n")
}
action(type="omfile" file="${folder}/seen.log" template="seen")
`;
  await Deno.writeTextFile(`${folder}/rsyslog.conf`, config);
  const args = ["-n", "-f", `${folder}/rsyslog.conf`, "-i", `${folder}/rsyslog.pid`];
  return new Deno.Command(findProgram("rsyslogd")!, { args, stdout: "null", stderr: "null" }).spawn();
}

async function linesOf(path: string): Promise<Json[]> {
  const text = await Deno.readTextFile(path).catch(() => "");
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
}

async function makeServers(sluice: Sluice, from: number, amount: number): Promise<void> {
  for (let i = from; i < from + amount; i++) {
    assertEquals((await sluice.api("POST", "/servers", { server: { name: `s${i}` } })).status, 201);
  }
}

Deno.test({
  name: "A real syslog server reads every record, over UDP and TCP, and after it was away",
  ignore: canLeaveOut("rsyslogd"),
  fn: async () => {
    for (const protocol of ["tcp", "udp"]) {
      const folder = await Deno.makeTempDir({ prefix: "sluice_syslog_" });
      const port = freePort();
      const env = { ...ON, AUDIT_SYSLOG_URL: `${protocol}://127.0.0.1:${port}` };
      let server = await startRsyslog(folder, port);
      try {
        // It writes its process id before it listens.
        await waitFor(async () => (await Deno.connect({ hostname: "127.0.0.1", port })).close() ?? true, {
          what: "rsyslog",
        });
        await using sluice = await Sluice.start({ env });
        await makeServers(sluice, 0, 3);
        const seen = async () =>
          (await linesOf(`${folder}/seen.log`)).filter(({ programname }) => programname === "sluice");
        await waitFor(async () => (await seen()).length >= 3, { what: "three records" });
        const [first] = await seen();
        const { pri, msgid, "structured-data": data } = first;
        assertEquals([pri, msgid, data], ["110", "audit", '[meta sequenceId="1"]']);
        if (protocol === "tcp") {
          await endChild(server, "SIGKILL");
          await Deno.remove(`${folder}/rsyslog.pid`).catch(() => {});
          await makeServers(sluice, 3, 3);
          server = await startRsyslog(folder, port);
        }
        const records = await waitFor(async () => {
          const numbers = new Set((await seen()).map(({ msg }) => JSON.parse(msg).sequence));
          return numbers.size >= (protocol === "tcp" ? 6 : 3) ? await seen() : null;
        }, { what: "all records" });
        for (const { msg } of records) {
          const { record } = JSON.parse(msg);
          assertEquals([record.operation, record.actor.email], ["createServer", "admin@example.com"]);
        }
      } finally {
        await endChild(server);
        await Deno.remove(folder, { recursive: true });
      }
    }
  },
});

Deno.test("File, TLS and webhook have every record of two workers, though the webhook and the TLS server fail at first", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice_export_" });
  const { certFile, keyFile } = await makeSelfSigned(folder, "syslog");
  const certificate = await Deno.readTextFile(certFile);
  const posted: { readonly id: string; readonly records: Json[] }[] = [];
  let isDown = true;
  let wrong = 0;
  await using webhook = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const body = await request.text();
      if (new URL(request.url).pathname !== "/hook") wrong++;
      if (isDown) return Response.redirect(new URL("/elsewhere", request.url), 307);
      const [id, time] = ["webhook-id", "webhook-timestamp"].map((name) => request.headers.get(name));
      const signed = createHmac("sha256", SECRET).update(`${id}.${time}.${body}`).digest("base64");
      if (request.headers.get("webhook-signature") !== `v1,${signed}`) wrong++;
      posted.push({ id: id!, records: JSON.parse(body).data.records });
      return new Response(null, { status: 204 });
    },
  );
  const tls = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    cert: certificate,
    key: await Deno.readTextFile(keyFile),
  });
  const received = { bytes: new Uint8Array() };
  const accepting = (async () => {
    let isFirst = true;
    for await (const conn of tls) {
      // The first connection breaks before anything is read.
      if (isFirst) conn.close();
      else void readAll(conn, received);
      isFirst = false;
    }
  })().catch(() => {});
  try {
    const { port } = webhook.addr as Deno.NetAddr;
    await using sluice = await Sluice.start({
      env: {
        ...ON,
        AUDIT_EXPORT_FILE: `${folder}/audit.jsonl`,
        AUDIT_WEBHOOK_URL: `http://127.0.0.1:${port}/hook?key=hunter2`,
        AUDIT_WEBHOOK_SECRET: SECRET,
        AUDIT_SYSLOG_URL: `tls://localhost:${(tls.addr as Deno.NetAddr).port}`,
        AUDIT_SYSLOG_CA_CERTS: certFile,
      },
    });
    await makeServers(sluice, 0, 8);
    await waitFor(async () => (await linesOf(`${folder}/audit.jsonl`)).length >= 8, { what: "the file" });
    await waitFor(() => metric(sluice, "sluice_audit_export_failures_total", "webhook"), {
      what: "a failure",
    });
    isDown = false;
    await makeServers(sluice, 8, 4);
    const numbers = (records: Json[]) => [...new Set(records.map(({ sequence }) => sequence))];
    const all = Array.from({ length: 12 }, (_, i) => i + 1);
    await waitFor(() => numbers(posted.flatMap(({ records }) => records)).length >= 12, {
      what: "the webhook",
    });
    assertEquals([numbers(posted.flatMap(({ records }) => records)), wrong], [all, 0]);
    await waitFor(() => numbers(framesIn(received.bytes)).length >= 12, { what: "the TLS server" });
    assertEquals(numbers(framesIn(received.bytes)).toSorted((a, b) => a - b), all);
    const file = await waitFor(async () => {
      const lines = await linesOf(`${folder}/audit.jsonl`);
      return lines.length >= 12 ? lines : null;
    }, { what: "all lines" });
    assertEquals(file.map(({ sequence }) => sequence), all);
    const warnings = sluice.log().filter(({ event, sink }) =>
      event === "audit records are not exported" && sink === "webhook"
    );
    assertEquals(warnings.length, 1);
    assert(!JSON.stringify(sluice.log()).includes("hunter2"));
  } finally {
    tls.close();
    await accepting;
    await Deno.remove(folder, { recursive: true });
  }
});

async function readAll(conn: Deno.Conn, into: { bytes: Uint8Array }): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    for (let count = await conn.read(buffer); count !== null; count = await conn.read(buffer)) {
      into.bytes = new Uint8Array([...into.bytes, ...buffer.subarray(0, count)]);
    }
  } catch {
    // The test is over.
  }
}

/** The records in frames with a count of octets (RFC 6587, section 3.4.1); a cut frame at the end is left out. */
function framesIn(bytes: Uint8Array): Json[] {
  const records: Json[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const length = Number(new TextDecoder().decode(bytes.subarray(at, space)));
    assert(length > 0, "a frame begins with its length");
    if (space + 1 + length > bytes.length) break;
    const message = new TextDecoder().decode(bytes.subarray(space + 1, space + 1 + length));
    const match = /^<1\d\d>1 \S+ \S+ sluice \d+ audit \[meta sequenceId="\d+"\] (\{.*\})$/.exec(message);
    assert(match !== null, message);
    records.push(JSON.parse(match![1]));
    at = space + 1 + length;
  }
  return records;
}
