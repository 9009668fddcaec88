// The one executable: built, then the main job on it from an empty folder.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { follow, Terminal } from "../support/cli.ts";
import { CounterUpstream } from "../support/counter_upstream.ts";
import { connectStdioV1 } from "../support/duplex_clients.ts";
import { freePort } from "../support/free_port.ts";
import { Sluice } from "../support/sluice.ts";
import { counterLaunch } from "../support/stdio_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Ids of SPDX of the licences that the executable may have inside. A package with another licence needs a decision first. */
const MAY_BE_PASSED_ON =
  /^\(?(0BSD|Apache-2\.0|BSD-[23]-Clause|MIT(-0)?|Unlicense|Zlib)( (AND|OR) (0BSD|MIT|Zlib))*\)?$/;

Deno.test("The compiled program serves, mints tokens, registers an upstream and calls it on two workers", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "sluice_compiled_" });
  const program = `${folder}/sluice`;
  const built = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--quiet",
      "scripts/compile.ts",
      "--output",
      program,
      "--licenses",
      `${folder}/licenses.txt`,
    ],
    cwd: ROOT,
  }).output();
  if (!built.success) {
    const words = new TextDecoder().decode(built.stderr);
    // Where neither a prepared Deno is named nor the network gives the runtime to embed, there is nothing to try.
    if (Deno.env.get("CI") === "true" || Deno.env.has("DENO_FOR_COMPILE")) throw new Error(words);
    console.log(`skipped: deno compile does not work here: ${words}`);
    return;
  }
  const cwd = `${folder}/empty`;
  await Deno.mkdir(cwd);

  await t.step("--version names version, commit and revisions", async () => {
    const { code, stdout } = await new Deno.Command(program, { args: ["--version"], cwd }).output();
    assertEquals(code, 0);
    assertMatch(
      new TextDecoder().decode(stdout),
      /^sluice \d+\.\d+\.\d+ \([0-9a-f]{7,40}(-dirty)?\)\n.*\nMCP 2026-07-28, 2025-11-25/,
    );
  });

  await t.step(
    "it holds the packages that it imports, and those alone, with their licences and that of Deno",
    async () => {
      const names = (await Deno.readTextFile(`${folder}/licenses.txt`)).matchAll(/^(\S+) [\d.]+ \(\S+\)$/gm);
      const packages = new Set([...names].map(([, name]) => name));
      for (const name of ["deno", "ioredis", "ws", "zod"]) assertEquals(packages.has(name), true, name);
      for (const name of ["playwright-core", "axe-core", "esbuild"]) {
        assertEquals(packages.has(name), false, name);
      }
      // The runtime alone has 97 MB; all packages of the lock file would add 66.
      assertEquals((await Deno.stat(program)).size < 115e6, true);
    },
  );

  await t.step("a release asks for the address of its source, and for targets that there are", async () => {
    for (const args of [["--source"], ["--source", "https://example.com", "--targets", "none"]]) {
      const { code } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--quiet", "scripts/release.ts", ...args, "--output", `${folder}/none`],
        cwd: ROOT,
      }).output();
      assertEquals(code, 2, args.join(" "));
    }
  });

  await t.step("a release holds it, with sums, a bill of materials and provenance that agree", async () => {
    const output = `${folder}/release`;
    const target = Deno.build.target;
    const args = [
      "--source",
      "https://example.com/sluice",
      "--output",
      output,
      "--targets",
      target,
      "--allow-dirty",
    ];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "scripts/release.ts", ...args],
      cwd: ROOT,
    }).output();
    assertEquals(success, true, new TextDecoder().decode(stderr));
    const sums = await new Deno.Command("sha256sum", {
      args: ["--check", "--quiet", "SHA256SUMS"],
      cwd: output,
    }).output();
    assertEquals(sums.code, 0);
    const files = [...Deno.readDirSync(output)].map(({ name }) => name);
    const read = async (ending: string) =>
      JSON.parse(await Deno.readTextFile(`${output}/${files.find((name) => name.endsWith(ending))}`));
    const { components, metadata } = await read(".cdx.json");
    const hashes = components.filter(({ type }: { type: string }) => type === "library").map((
      { name, hashes }: { name: string; hashes?: unknown[] },
    ) => [name, hashes?.length]);
    assertEquals(hashes.filter(([, count]: [string, number]) => count !== 1), []);
    const expressions = components.flatMap((
      { licenses }: { licenses: { expression?: string; license?: { id: string } }[] },
    ) => licenses.map(({ expression, license }) => expression ?? license!.id));
    assertEquals(expressions.length, components.length);
    assertEquals(expressions.filter((text: string) => !MAY_BE_PASSED_ON.test(text)), []);
    const { subject: [archive], predicate } = await read(".provenance.json");
    const [{ digest }] = predicate.buildDefinition.resolvedDependencies;
    const [, commit] = /%40(\w+)$/.exec(metadata.component.purl) ?? [];
    assertEquals(digest?.gitCommit, commit, "neither names a commit if the files differ from it");
    const listed = await new Deno.Command("tar", { args: ["--list", "--file", archive.name], cwd: output })
      .output();
    assertEquals(new TextDecoder().decode(listed.stdout).trim().split("\n").sort(), [
      "./",
      "./LICENSE",
      "./licenses.txt",
      "./sluice",
    ]);
    assertStringIncludes(await Deno.readTextFile(`${output}/SHA256SUMS`), archive.digest.sha256);
  });

  await t.step("help has the manual", async () => {
    const { code, stdout } = await new Deno.Command(program, { args: ["help", "tokens"], cwd }).output();
    assertEquals([code, new TextDecoder().decode(stdout).startsWith("TOKENS\n\n")], [0, true]);
  });

  await t.step("serve --demo, token, /rpc", async () => {
    await using sluice = await Sluice.start({ program, cwd, args: ["--demo"], env: { JWT_SECRET_KEY: "" } });
    const minted = await new Deno.Command(program, { args: ["token", "--admin", "--exp", "5"], cwd })
      .output();
    const token = new TextDecoder().decode(minted.stdout).trim();
    const args = { source_timezone: "Europe/Berlin", target_timezone: "Europe/Dublin", time: "09:00" };
    for (let i = 0; i < 20; i++) {
      const { status, body } = await sluice.rpc("convert_time", args, token);
      assertEquals([status, JSON.parse(body.result.content[0].text).time_difference], [200, "-1.0h"]);
    }
    const bench = await new Deno.Command(program, {
      args: [
        "bench",
        `${sluice.url}/mcp`,
        "--token",
        token,
        "--duration",
        "500ms",
        "--warmup",
        "0",
        "--assert",
        "errors=0",
      ],
      cwd,
    }).output();
    assertMatch(new TextDecoder().decode(bench.stdout), /^holds {3}errors=0/m);
    assertEquals(bench.code, 0);
    await using upstream = CounterUpstream.start();
    const registration = { name: "counter", url: upstream.url, transport: "STREAMABLEHTTP" };
    assertEquals((await sluice.api("POST", "/gateways", registration, token)).status, 200);
    for (let i = 0; i < 20; i++) {
      const { body } = await sluice.rpc("counter-increment", {}, token);
      assertEquals(body.result.content[0].text, "1");
    }
    const permissions = sluice.log().find(({ event }) => event === "permissions")!;
    assertEquals([permissions.run, (permissions.write as string[])[0]], [false, `${cwd}/mcp.db`]);
    assertEquals(
      (permissions.read as string[]).length,
      7,
      "the settings, what SQLite has, the secrets, the last backup",
    );
    const { status, headers } = await sluice.api("GET", "/tools", undefined, token);
    // Weak from a Deno that compresses by itself.
    assertMatch(`${status} ${headers.get("etag")}`, /^200 (W\/)?".+"$/);
    const metrics = await fetch(`${sluice.url}/metrics/prometheus`, {
      headers: { authorization: `Bearer ${token}` },
    });
    assertMatch(`${metrics.status} ${await metrics.text()}`, /^200 [^]*^sluice_build_info/m);
    assertEquals(await sluice.stop(), 0);
  });

  await t.step("the next steps that a terminal shows work as they are shown", async () => {
    const env = { HOST: "127.0.0.1", PORT: String(freePort()), WORKERS: "1" };
    await using terminal = new Terminal(`${program} serve --demo`, { cwd, env });
    await waitFor(() => terminal.text.includes(`${program} --help`), { what: "the next steps" });
    const { result } = await follow(terminal.text, { cwd, env: {} });
    assertEquals(JSON.parse(result.content[0].text).time_difference, "-1.0h");
  });

  // Not over WebSocket: the Deno 2.7.11 that the executable of this test embeds opens none through a connection of our own.
  await t.step("upstreams over stdio", async () => {
    await using sluice = await Sluice.start({ program, cwd, env: { STDIO_ENABLED: "true" } });
    const launch = counterLaunch(`mark-${crypto.randomUUID()}`);
    const given = { name: "process", transport: "STDIO", ...launch };
    const { status, body: made } = await sluice.api("POST", "/gateways", given);
    assertEquals([status, made.transport], [200, given.transport], JSON.stringify(made));
    const { body } = await sluice.rpc("process-increment");
    assertEquals(body.result.content[0].text, "1");
  });

  await t.step("stdio", async () => {
    await using upstream = CounterUpstream.start();
    await using sluice = await Sluice.start({ program, cwd });
    await sluice.registerUpstream("second", upstream.url);
    const env = { PATH: Deno.env.get("PATH") ?? "", SSRF_ALLOW_LOCALHOST: "true" };
    await using client = await connectStdioV1({ command: program, args: ["stdio"], env, cwd });
    for (const expected of ["1", "2"]) {
      assertEquals((await client.callTool("second-increment")).content[0].text, expected);
    }
    const args = ["stdio", "--url", sluice.url, "--token-file", `${cwd}/token`];
    await Deno.writeTextFile(`${cwd}/token`, await sluice.token());
    await using bridged = await connectStdioV1({ command: program, args, env, cwd });
    assertEquals((await bridged.callTool("second-increment")).content[0].text, "1");
  });
  await Deno.remove(folder, { recursive: true });
});
