// Listening, as real clients meet it: both HTTP versions, TLS, the backlog, and a certificate that is replaced under load.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { endChild } from "../support/end_child.ts";
import { makeSelfSigned, openssl, type SelfSigned } from "../support/self_signed.ts";
import { run } from "../support/command.ts";
import { listeningSockets } from "../support/process_stats.ts";
import { canLeaveOut } from "../support/programs.ts";
import { RawConnection } from "../support/raw_http.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

/** Exit code of the program. */
const WRONG_SETTINGS = 2;

const PROGRAMS = ["curl", "h2load", "hey", "openssl", "ss"];
const ignore = PROGRAMS.some(canLeaveOut);

/** One GET of /health with curl's options. @returns e.g. "2 200": the HTTP version and the status; "0 000": no answer */
async function curl(url: string, ...options: string[]): Promise<string> {
  const args = ["-sk", "-m", "60", "-o", "/dev/null", "-w", "%{http_version} %{http_code}"];
  return (await run("curl", [...args, ...options, `${url}/health`])).text;
}

/** How many requests h2load got through, and how many it did not. */
async function h2load(url: string, requests: number): Promise<{ succeeded: number; failed: number }> {
  const { text } = await run("h2load", ["-n", String(requests), "-c", "8", "-m", "10", `${url}/health`]);
  const found = /(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(text);
  if (found === null) throw new Error(text);
  const [succeeded, ...failed] = found.slice(1).map(Number);
  return { succeeded, failed: failed.reduce((sum, count) => sum + count) };
}

/** What openssl's client sees with these options. */
async function sClient(port: number, ...options: string[]): Promise<string> {
  return (await run("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, ...options])).text;
}

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "sluice_listen_" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function tls({ certFile, keyFile }: SelfSigned): Record<string, string> {
  return { SSL: "true", CERT_FILE: certFile, KEY_FILE: keyFile };
}

/** A gateway for which `Sluice.start` cannot wait, because it refuses the version of its client. */
async function startServingOnly(version: "1" | "2", env: Record<string, string> = {}): Promise<Sluice> {
  const sluice = await Sluice.spawn({ env: { HTTP_VERSION: version, ...env } });
  const option = version === "1" ? "--http1.1" : "--http2-prior-knowledge";
  await waitFor(async () => (await curl(sluice.url, option)).endsWith("200"), {
    what: "an answer",
    everyMs: 200,
  });
  return sluice;
}

Deno.test({
  name: "serve without TLS speaks HTTP/1.1 and HTTP/2 by prior knowledge, with the backlog that was set",
  ignore,
  fn: async () => {
    await using sluice = await Sluice.start({ env: { BACKLOG: "301" } });
    assertEquals(await curl(sluice.url, "--http1.1"), "1.1 200");
    assertEquals(await curl(sluice.url, "--http2-prior-knowledge"), "2 200");
    // An offer to upgrade, which need not be taken up.
    assertEquals(await curl(sluice.url, "--http2"), "1.1 200");

    const { text } = await run("ss", ["-Hltn", `sport = :${sluice.port}`]);
    const backlogs = text.trim().split("\n").map((line) => line.trim().split(/\s+/)[2]);
    assertEquals(backlogs, ["301", "301"]);

    assertEquals(await h2load(sluice.url, 5000), { succeeded: 5000, failed: 0 });
  },
});

Deno.test({
  name: "a call is answered by one send, which is chunked in HTTP/1.1 alone",
  ignore,
  fn: async () => {
    await using sluice = await Sluice.start();
    const token = await sluice.token();
    const body = JSON.stringify({ jsonrpc: "2.0", id: "x".repeat(10_000), method: "ping" });
    const headers = [`authorization: Bearer ${token}`, "content-type: application/json"];

    const fields = headers.flatMap((field) => ["-H", field]);
    const framing = async (version: string) => {
      const { text } = await run("curl", [
        "-si",
        "-m",
        "60",
        version,
        ...fields,
        "-d",
        body,
        `${sluice.url}/rpc`,
      ]);
      const [head, answer] = text.split("\r\n\r\n");
      assertEquals(JSON.parse(answer!).result, {});
      return [...head!.matchAll(/^(transfer-encoding|content-length): (.*)\r?$/gm)].map(([, name, value]) =>
        `${name} ${name === "content-length" && value === String(answer!.length) ? "of the body" : value}`
      );
    };
    assertEquals(await framing("--http1.1"), ["transfer-encoding chunked"]);
    assertEquals(await framing("--http1.0"), ["content-length of the body"]);
    assertEquals(await framing("--http2-prior-knowledge"), ["content-length of the body"]);

    using connection = await RawConnection.open(sluice.port);
    const lines = [...headers, "host: 127.0.0.1", `content-length: ${body.length}`].join("\r\n");
    const request = new TextEncoder().encode(`POST /rpc HTTP/1.1\r\n${lines}\r\n\r\n${body}`);
    const sends = async () => {
      const { text } = await run("ss", ["-Htin", `sport = :${sluice.port} and dport = :${connection.port}`]);
      return Number(/data_segs_out:(\d+)/.exec(text)?.[1]);
    };
    for (let calls = 1; calls <= 3; calls++) {
      await connection.send(request);
      assertEquals((await connection.receive()).status, 200);
      assertEquals(await sends(), calls);
    }
  },
});

Deno.test({
  name: "serve with TLS speaks HTTP/1.1 and HTTP/2 over TLS 1.2 and 1.3, and nothing older",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await using sluice = await Sluice.start({ env: tls(await makeSelfSigned(folder, "first")) });
      assertEquals(await curl(sluice.url, "--http1.1"), "1.1 200");
      assertEquals(await curl(sluice.url, "--http2"), "2 200");
      assertEquals(await curl(sluice.url, "--no-alpn"), "1.1 200");

      assertStringIncludes(await sClient(sluice.port, "-tls1_3"), "New, TLSv1.3, Cipher is TLS_AES_256_GCM");
      assertMatch(
        await sClient(sluice.port, "-tls1_2"),
        /New, TLSv1.2, Cipher is ECDHE-ECDSA-(AES|CHACHA20)/,
      );
      for (const old of ["-tls1_1", "-tls1"]) {
        const text = await sClient(sluice.port, old, "-cipher", "ALL:@SECLEVEL=0");
        assertStringIncludes(text, "Cipher is (NONE)");
        assertMatch(text, /alert (protocol version|handshake failure)/);
      }
      assertStringIncludes(
        await sClient(sluice.port, "-tls1_2", "-cipher", "AES128-SHA:DES-CBC3-SHA:@SECLEVEL=0"),
        "Cipher is (NONE)",
      );

      assertEquals(await h2load(sluice.url, 5000), { succeeded: 5000, failed: 0 });
    }),
});

Deno.test({
  name: "HTTP_VERSION=1 offers HTTP/1.1 alone over TLS, and answers HTTP/2 by prior knowledge with 505",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await using plain = await startServingOnly("1");
      assertEquals(await curl(plain.url, "--http2-prior-knowledge"), "2 505");
      await using secure = await startServingOnly("1", tls(await makeSelfSigned(folder, "first")));
      assertEquals(await curl(secure.url, "--http2"), "1.1 200");
      assertStringIncludes(await sClient(secure.port, "-alpn", "h2"), "no application protocol");
    }),
});

Deno.test({
  name: "HTTP_VERSION=2 offers HTTP/2 alone over TLS, and answers HTTP/1.1 with 505",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      await using plain = await startServingOnly("2");
      assertEquals(await curl(plain.url, "--http1.1"), "1.1 505");
      await using secure = await startServingOnly("2", tls(await makeSelfSigned(folder, "first")));
      assertEquals(await curl(secure.url, "--http2"), "2 200");
      assertEquals(await curl(secure.url, "--http1.1"), "0 000");
      assertEquals(await curl(secure.url, "--no-alpn", "--http1.1"), "1.1 505");
      assertEquals(await h2load(secure.url, 2000), { succeeded: 2000, failed: 0 });
    }),
});

/** The names of the certificates that `count` new connections are shown. */
async function namesShown(port: number, count: number): Promise<Set<string>> {
  const texts = await Promise.all(Array.from({ length: count }, () => sClient(port, "-brief")));
  return new Set(texts.map((text) => /CN\s*=\s*(\w+)/.exec(text)?.[1] ?? text));
}

Deno.test({
  name: "SIGHUP replaces the certificate under load without a failed request",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const live = await makeSelfSigned(folder, "first");
      await using sluice = await Sluice.start({ env: tls(live) });
      assertEquals(await namesShown(sluice.port, 4), new Set(["first"]));
      const before = listeningSockets(sluice.port);

      // Kept connections, and a connection for each request. hey would put the port into the name that it asks for by TLS.
      const hey = (...options: string[]) =>
        new Deno.Command("hey", {
          args: ["-z", "300s", "-host", "localhost", ...options, `${sluice.url}/health`],
          stdin: "null",
          stdout: "piped",
          stderr: "piped",
        }).spawn();
      const load = [
        hey("-c", "8", "-q", "50"),
        hey("-c", "8", "-q", "50", "-h2"),
        hey("-c", "4", "-q", "10", "-disable-keepalive"),
      ];
      const next = await makeSelfSigned(folder, "second");
      await Deno.rename(next.certFile, live.certFile);
      await Deno.rename(next.keyFile, live.keyFile);
      const connected = new Set<number>();
      await waitFor(async () => {
        const { text } = await run("ss", ["-Htnp", "state", "established", `dport = :${sluice.port}`]);
        for (const { pid } of load) if (text.includes(`pid=${pid},`)) connected.add(pid);
        return connected.size === load.length;
      }, { what: "a connection of every client of the load", everyMs: 50 });
      Deno.kill(sluice.pid, "SIGHUP");
      await waitFor(() => sluice.log().some(({ event }) => event === "certificate reloaded"), {
        what: "the reload in the log",
      });
      await waitFor(async () => {
        const names = await namesShown(sluice.port, 8);
        return names.size === 1 && names.has("second");
      }, { what: "the new certificate on every connection", everyMs: 500 });

      // The load goes on while the old listeners end.
      await waitFor(() => {
        const now = listeningSockets(sluice.port);
        return now.length === before.length && now.every((socket) => !before.includes(socket));
      }, { what: "new listeners alone" });
      const outputs = load.map((child) => child.output());
      for (const child of load) await endChild(child, "SIGINT");
      for (const { stdout, stderr } of await Promise.all(outputs)) {
        const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
        assert(!text.includes("Error distribution"), text);
        assertEquals(Array.from(text.matchAll(/\[(\d+)\]\s+\d+ responses/g), ([, status]) => status), [
          "200",
        ]);
      }
      assertEquals(sluice.log().filter(({ level }) => level === "ERROR"), []);
    }),
});

Deno.test({
  name: "SIGHUP with a certificate that cannot be used leaves the old one in place",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const live = await makeSelfSigned(folder, "first");
      await using sluice = await Sluice.start({ env: tls(live) });
      const other = await makeSelfSigned(folder, "other");
      await Deno.rename(other.keyFile, live.keyFile);
      Deno.kill(sluice.pid, "SIGHUP");
      const { reason } = await waitFor(() => sluice.log().find(({ level }) => level === "ERROR"), {
        what: "the mistake in the log",
      });
      assertStringIncludes(String(reason), `${live.keyFile} is not the key of the certificate`);
      assertEquals(await namesShown(sluice.port, 4), new Set(["first"]));
    }),
});

Deno.test({
  name: "serve ends with a clear error where SSL has no certificate, or one that does not fit",
  ignore,
  fn: () =>
    withFolder(async (folder) => {
      const [first, second] = [
        await makeSelfSigned(folder, "first"),
        await makeSelfSigned(folder, "second"),
      ];
      const encrypted = `${folder}/encrypted.pem`;
      const cipher = ["-topk8", "-v2", "aes256", "-passout", "pass:hush-hush"];
      await openssl("pkcs8", ...cipher, "-in", first.keyFile, "-out", encrypted);
      const rows: ReadonlyArray<[env: Record<string, string>, words: string, exitCode?: number]> = [
        [{ SSL: "true" }, "SSL=true needs CERT_FILE and KEY_FILE", WRONG_SETTINGS],
        [tls({ ...first, certFile: "/no/such.pem" }), "CERT_FILE /no/such.pem cannot be read"],
        [tls({ ...first, keyFile: second.keyFile }), `${second.keyFile} is not the key of the certificate`],
        [tls({ certFile: first.keyFile, keyFile: first.keyFile }), "holds no certificate"],
        [tls({ ...first, keyFile: first.certFile }), "holds no private key"],
        [tls({ ...first, keyFile: encrypted }), "is encrypted. Set KEY_FILE_PASSWORD"],
        [{ ...tls({ ...first, keyFile: encrypted }), KEY_FILE_PASSWORD: "not-this" }, "cannot be decrypted"],
      ];
      for (const [env, words, exitCode = 1] of rows) {
        await using sluice = await Sluice.spawn({ env });
        assertEquals(await sluice.exit(), exitCode);
        const text = sluice.stdout.tail() + sluice.stderr.tail();
        assertStringIncludes(text, words);
        assert(!text.includes("not-this"), text);
      }
      await using sluice = await Sluice.start({
        env: { ...tls({ ...first, keyFile: encrypted }), KEY_FILE_PASSWORD: "hush-hush" },
      });
      assertEquals(await curl(sluice.url), "2 200");
    }),
});

Deno.test({
  name: "serve warns where fewer files may be open than the settings can need",
  fn: () =>
    withFolder(async (folder) => {
      const program = `${folder}/sluice`;
      const main = new URL("../../src/main.ts", import.meta.url).pathname;
      const config = new URL("../../deno.json", import.meta.url).pathname;
      await Deno.writeTextFile(
        program,
        `#!/bin/sh\nulimit -n 1000\nexec "${Deno.execPath()}" run -A --quiet --config "${config}" "${main}" "$@"\n`,
      );
      await Deno.chmod(program, 0o755);
      await using sluice = await Sluice.start({ program, env: { BACKPRESSURE: "512" } });
      const warnings = sluice.log().filter(({ event }) => event === "system limit");
      assertMatch(
        String(warnings[0]?.warning),
        /^1000 open files are allowed .* can need \d{4}, .*: raise the limit .* MAX_STREAMS$/,
      );
    }),
});
