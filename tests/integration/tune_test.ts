// What `sluice tune` writes, as it is: taken by PostgreSQL, PgBouncer, Redis, nginx, systemd and the gateway, and found well by `sluice
// doctor`.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parse as parseEnv } from "@std/dotenv";
import { parse as parseYaml, parseAll } from "@std/yaml";
import { probeMachine } from "../../src/cli/tune/machine_probe.ts";
import { FROM_SOURCE, runCli } from "../support/cli.ts";
import { SERVERS_MISSING } from "../support/cluster_servers.ts";
import { freePort } from "../support/free_port.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { canLeaveOut, findProgram } from "../support/programs.ts";
import { startNginx } from "../support/round_robin.ts";
import { startSlowProcess } from "../support/slow_upstream.ts";
import { planned, type PlannedFolder, startTuned } from "../support/tuned_gateway.ts";

/** Two processors and the memory of a small machine, wherever the test runs. */
const MACHINE = ["--vcpu", "2", "--ram", "4"];

function tuned(...flags: string[]): Promise<PlannedFolder> {
  return planned(...MACHINE, ...flags);
}

Deno.test({
  name:
    "PostgreSQL, PgBouncer, Redis, nginx and the gateway run with what `sluice tune` writes, and `sluice doctor` finds nothing",
  ignore: SERVERS_MISSING || canLeaveOut("nginx"),
  fn: async () => {
    const flags = ["--users", "1000", "--pgbouncer", "--redis"];
    const plan = await tuned(...flags);
    const { folder, text } = plan;
    await using gateway = await startTuned(plan);
    const { sluice, env } = gateway;
    await using upstream = await startSlowProcess({ delayMs: 1 });
    await using proxy = await startNginx((port) =>
      text("nginx.conf").replace("listen 8080", `listen 127.0.0.1:${port}`).replace(
        "127.0.0.1:4444",
        `127.0.0.1:${sluice.port}`,
      )
    );
    await sluice.registerUpstream("up", upstream.url);
    const through = { url: proxy.url, token: () => sluice.token() };
    const headers = inSession(await openSession(through));
    const called = await post(through, toolCall("up-slow"), { headers });
    assertStringIncludes(JSON.stringify(called.body), "done");
    assertEquals((await fetch(`${proxy.url}/internal/forward`, { method: "POST" })).status, 404);

    const cli = { cwd: folder, env };
    const doctor = JSON.parse((await runCli(["doctor", "--json"], cli)).out);
    const found = doctor.findings.map(({ id }: { id: string }) => id);
    assertEquals(found.filter((id: string) => !/^(machine\.|settings\.(no_tls|listen))/.test(id)), []);
    const check = async (users: string) => {
      const args = ["tune", ...MACHINE, ...flags, "--users", users, "--check", "--json"];
      return JSON.parse((await runCli(args.toSpliced(args.indexOf("1000") - 1, 2), cli)).out);
    };
    const { advice, examined, unknown } = await check("1000");
    const ofServers = ({ place }: { place: string }) => place !== "sysctl" && place !== "open files";
    assertEquals([advice.filter(ofServers), unknown], [[], []]);
    assertEquals(examined, [".env", "sysctl", "open files", "PostgreSQL", "PgBouncer", "Redis"]);
    // Ten times the users need more of everything, but for the connections of the servers.
    const more = (await check("10000")).advice.filter(ofServers);
    assert(more.some(({ setting }: { setting: string }) => setting === "MAX_STREAMS"));
    const servers = more.filter(({ place }: { place: string }) => place !== ".env");
    assertEquals(
      servers.map((
        { place, setting, now, advised }: Record<string, string>,
      ) => [place, setting, now, advised]),
      [["Redis", "maxmemory", "64mb", "192mb"]],
    );
  },
});

Deno.test("`sluice tune --check` beside a PostgreSQL that does not answer says so, and does not say that everything serves", async () => {
  const { folder } = await tuned("--users", "100", "--postgres");
  const env = { DATABASE_URL: `postgresql://sluice:p@127.0.0.1:${freePort()}/sluice` };
  const args = ["tune", ...MACHINE, "--users", "100", "--postgres", "--check", "--json"];
  const { code, out } = await runCli(args, { cwd: folder, env });
  const { advice, examined, unknown, shortfalls } = JSON.parse(out);
  assertEquals(advice.filter(({ place }: { place: string }) => place === ".env"), []);
  assertStringIncludes(unknown.join(), "nothing listens there");
  assertEquals([code, examined.includes("PostgreSQL"), shortfalls], [1, false, []]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("`sluice tune` writes YAML and a unit that their programs take, and keeps its secrets on a second run", async () => {
  const { folder, text } = await tuned("--users", "500", "--replicas", "3", "--pgbouncer", "--redis");
  // deno-lint-ignore no-explicit-any -- what is read is asserted
  const { services, configs, volumes } = parseYaml(text("compose.yaml")) as any;
  assertEquals(Object.keys(services), ["gateway", "nginx", "postgres", "pgbouncer", "redis"]);
  assertEquals(services.gateway.deploy, {
    replicas: 3,
    resources: { limits: { cpus: "2", memory: "4096M" } },
  });
  assertEquals(services.gateway.ulimits.nofile, { soft: 65536, hard: 65536 });
  assertEquals(services.pgbouncer.environment.POOL_MODE, "transaction");
  assertEquals(services.redis.command.slice(0, 3), ["redis-server", "--maxclients", "10000"]);
  assertStringIncludes(configs.nginx.content, "resolver 127.0.0.11 valid=5s;");
  assertStringIncludes(configs.nginx.content, "server gateway:4444 resolve;");
  assertStringIncludes(configs.nginx.content, "proxy_set_header Host $$http_host;");
  // nginx is the only way in, and what it says of clients counts.
  assertStringIncludes(configs.nginx.content, "proxy_set_header X-Forwarded-For $$remote_addr;");
  assertEquals(services.gateway.environment.TRUSTED_PROXY_NETWORKS, "172.16.0.0/12,192.168.0.0/16");
  assertEquals([services.gateway.ports, services.gateway.pull_policy], [undefined, "never"]);
  assertEquals(volumes, { postgres: {} });
  // deno-lint-ignore no-explicit-any -- what is read is asserted
  const manifests = parseAll(text("kubernetes.yaml")) as any[];
  assertEquals(manifests.map(({ kind }) => kind), [
    "ConfigMap",
    "Deployment",
    "Service",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
  ]);
  const [{ data }, { spec }] = manifests;
  const lines = parseEnv(text(".env"));
  assertEquals(data, { ...lines, REDIS_URL: "redis://redis:6379/0" });
  const { terminationGracePeriodSeconds, securityContext, containers: [container] } = spec.template.spec;
  assertEquals([spec.replicas, terminationGracePeriodSeconds], [3, 45]);
  assertEquals(container.lifecycle.preStop.exec.command, ["sleep", "5"]);
  // What the restricted profile of Kubernetes asks for.
  assertEquals(securityContext.seccompProfile, { type: "RuntimeDefault" });
  assertEquals([securityContext.runAsNonRoot, container.securityContext], [true, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ["ALL"] },
  }]);
  // Nothing is written beside these folders.
  assertEquals(container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath), [
    "/data",
    "/tmp",
  ]);
  assertEquals([services.gateway.read_only, services.gateway.tmpfs], [true, ["/tmp"]]);

  const secrets = text("secrets.env");
  assertEquals(Deno.statSync(`${folder}/secrets.env`).mode! & 0o777, 0o600);
  const again = await runCli([
    "tune",
    ...MACHINE,
    "--users",
    "900",
    "--replicas",
    "3",
    "--pgbouncer",
    "--out",
    folder,
  ], {
    cwd: folder,
  });
  assertEquals(again.code, 0);
  assertStringIncludes(again.out, "the environment of every replica (kept as it was)");
  assertEquals(text("secrets.env"), secrets);
  assertStringIncludes(text(".env"), "Settings of Sluice for 900 users");

  const small = await runCli(["tune", "--users", "5000", "--vcpu", "0.5", "--ram", "1"], { cwd: folder });
  assertEquals(small.code, 1);
  assertStringIncludes(small.err, "sluice: The processors do not suffice");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("`sluice tune --out` into a folder of another plan keeps its secrets in files that fit the new one, and a copy of .env", async () => {
  const { folder, text } = await tuned("--users", "500", "--postgres");
  const [, secret] = /^JWT_SECRET_KEY=(.+)$/m.exec(text("secrets.env"))!;
  const [, password] = /^POSTGRES_PASSWORD=(.+)$/m.exec(text("secrets.env"))!;
  const run = async (...flags: string[]) =>
    await runCli(["tune", ...MACHINE, "--users", "500", ...flags, "--out", folder], { cwd: folder });
  await Deno.writeTextFile(`${folder}/.env`, "AUTH_ENCRYPTION_SECRET=of-the-gateway\n");
  const pooled = await run("--pgbouncer");
  assertStringIncludes(pooled.out, "(its secrets kept, with this plan's DATABASE_URL)");
  assertEquals(text("userlist.txt"), `"sluice" "${password}"\n`);
  assertStringIncludes(text("secrets.env"), `JWT_SECRET_KEY=${secret}\n`);
  const address = (port: number) => `DATABASE_URL=postgresql://sluice:${password}@127.0.0.1:${port}/sluice`;
  assertStringIncludes(text("secrets.env"), `${address(6432)}?pgbouncer=true\n`);
  const [, copy] = /^\.env .*\(the former file is (\S+)\)$/m.exec(pooled.out)!;
  assertEquals(text(copy!), "AUTH_ENCRYPTION_SECRET=of-the-gateway\n");
  assertEquals(Deno.statSync(`${folder}/${copy}`).mode! & 0o777, 0o600);

  // An address of the operator's own stays.
  await Deno.writeTextFile(`${folder}/secrets.env`, text("secrets.env").replace("127.0.0.1", "db.internal"));
  const own = await run("--postgres");
  assertStringIncludes(own.out, "(kept as it was)");
  assertStringIncludes(text("secrets.env"), "@db.internal:6432/");
  // A lost file comes back with the password that the other one has.
  await Deno.remove(`${folder}/secrets.env`);
  await run("--postgres");
  assertStringIncludes(text("secrets.env"), `${address(5432)}\n`);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("`sluice tune --out` names the path that it cannot write, and what to do", async () => {
  const folder = await Deno.makeTempDir({ prefix: "sluice_tune_" });
  await Deno.mkdir(`${folder}/taken/.env`, { recursive: true });
  await Deno.writeTextFile(`${folder}/file`, "");
  const words = {
    [`${folder}/file/below`]:
      `${folder}/file/below: not a directory. Correct the path: a part of it is a file`,
    [`${folder}/taken`]: `${folder}/taken/.env: it is a directory. Name a file, or move the directory away`,
  };
  for (const [out, said] of Object.entries(words)) {
    const { code, err } = await runCli(["tune", ...MACHINE, "--users", "10", "--out", out], { cwd: folder });
    assertEquals([code, err], [1, `sluice: Cannot use ${said}\n`]);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test({
  name: "systemd takes the unit that `sluice tune` writes",
  ignore: findProgram("systemd-analyze") === null,
  fn: async () => {
    const { folder, text } = await tuned("--users", "500", "--postgres");
    // The program and its user are where the gateway is installed.
    const unit = text("sluice.service").replace("/usr/local/bin/sluice", "/bin/true").replace(
      "User=sluice",
      "User=root",
    );
    await Deno.writeTextFile(`${folder}/sluice.service`, unit);
    const { code, stderr } = await new Deno.Command(findProgram("systemd-analyze")!, {
      args: ["verify", `${folder}/sluice.service`],
    }).output();
    // Units of this machine that are not installed here are warned of, on their own lines.
    const about = new TextDecoder().decode(stderr).split("\n").filter((line) =>
      line.includes("sluice.service")
    );
    assertEquals([code, about.filter((line) => !line.includes("not-found"))], [0, []]);
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "probeMachine() measures a call, and leaves neither a process nor a folder behind",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    // Other runs on the machine make folders too.
    const own = await Deno.makeTempDir();
    const usual = Deno.env.get("TMPDIR");
    Deno.env.set("TMPDIR", own);
    const { callMicros, calls, memoryMb } = await probeMachine({
      program: FROM_SOURCE,
      warmUpMs: 200,
      measuredMs: 600,
    });
    assert(
      calls > 50 && callMicros > 10 && memoryMb > 20,
      `${calls} calls of ${callMicros} µs, ${memoryMb} MiB`,
    );
    assertEquals([...Deno.readDirSync(own)], []);
    if (usual === undefined) Deno.env.delete("TMPDIR");
    else Deno.env.set("TMPDIR", usual);
    await Deno.remove(own);
  },
});
