// What `sluice tune` writes for containers: read by the schemas of Compose and Kubernetes, and run as processes, because no container
// runtime is needed for tests.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parse as parseEnv } from "@std/dotenv";
import { parseAll } from "@std/yaml";
import { runCli } from "../support/cli.ts";
import { SERVERS_MISSING } from "../support/cluster_servers.ts";
import { startComposed } from "../support/composed.ts";
import { inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { canLeaveOut } from "../support/programs.ts";
import { startSlowProcess } from "../support/slow_upstream.ts";
import { Sluice } from "../support/sluice.ts";
import { planned } from "../support/tuned_gateway.ts";
import { known } from "../support/two_replicas.ts";

const FLAGS = ["--vcpu", "1", "--ram", "2", "--users", "300", "--replicas", "2", "--pgbouncer", "--redis"];

/** The variables by which Kubernetes tells a container of Services. https://kubernetes.io/docs/concepts/services-networking/service/ */
function serviceLinks(name: string, port: number): Record<string, string> {
  const [own, address] = [name.toUpperCase(), "10.96.7.5"];
  return {
    [`${own}_SERVICE_HOST`]: address,
    [`${own}_SERVICE_PORT`]: String(port),
    [`${own}_PORT`]: `tcp://${address}:${port}`,
    [`${own}_PORT_${port}_TCP`]: `tcp://${address}:${port}`,
    [`${own}_PORT_${port}_TCP_PROTO`]: "tcp",
    [`${own}_PORT_${port}_TCP_PORT`]: String(port),
    [`${own}_PORT_${port}_TCP_ADDR`]: address,
  };
}

Deno.test({
  name: "the processes of compose.yaml and kubernetes.yaml run, and serve through nginx",
  ignore: SERVERS_MISSING || canLeaveOut("nginx"),
  fn: async () => {
    const plan = await planned(...FLAGS);
    await using stack = new AsyncDisposableStack();
    stack.defer(() => Deno.remove(plan.folder, { recursive: true }));
    const composed = stack.use(await startComposed(plan));
    const upstream = stack.use(await startSlowProcess({ delayMs: 1 }));
    const [first, second] = composed.gateways;
    await first!.registerUpstream("up", upstream.url);
    await known(second!, "up-slow");
    const through = { url: composed.url, token: () => first!.token() };
    const headers = inSession(await openSession(through));
    // nginx asks the replicas by turns: each serves the session.
    for (let turn = 0; turn < 4; turn++) {
      const { body } = await post(through, toolCall("up-slow"), { headers });
      assertStringIncludes(JSON.stringify(body), "done");
    }
    assertEquals((await fetch(`${composed.url}/internal/forward`, { method: "POST" })).status, 404);
    // A form of a page, from the address that a browser shows: it is not one of another page.
    const signIn = await fetch(`${composed.url}/admin/sign-in`, {
      method: "POST",
      headers: { origin: composed.url },
      body: new URLSearchParams({ token: "none" }),
    });
    await signIn.body?.cancel();
    assertEquals(signIn.status, 401);

    // deno-lint-ignore no-explicit-any -- what is read is asserted
    const [configMap, { spec }] = parseAll(plan.text("kubernetes.yaml")) as any[];
    const [container] = spec.template.spec.containers;
    const secrets = parseEnv(plan.text("secrets.env"));
    const own = Object.fromEntries(
      // deno-lint-ignore no-explicit-any -- as above
      container.env.map(({ name, value, valueFrom }: any) => [
        name,
        valueFrom === undefined
          ? value.replace("$(POSTGRES_PASSWORD)", secrets.POSTGRES_PASSWORD)
          : secrets[valueFrom.secretKeyRef.key],
      ]),
    );
    const given: Record<string, string> = { ...configMap.data, ...secrets, ...own };
    const pod = stack.use(
      await Sluice.start({
        env: {
          ...serviceLinks("kubernetes", 443),
          ...serviceLinks("sluice", 4444),
          ...serviceLinks("pgbouncer", 6432),
          ...serviceLinks("postgres", 5432),
          ...serviceLinks("redis", 6379),
          ...Object.fromEntries(
            Object.entries(given).map(([name, value]) => [name, composed.withAddresses(value)]),
          ),
        },
      }),
    );
    for (const probe of ["readinessProbe", "livenessProbe", "startupProbe"]) {
      const { path, port } = container[probe].httpGet;
      assertEquals(port, 4444);
      assertEquals((await pod.api("GET", path, undefined, null)).status, 200, probe);
    }
    const inPod = { url: pod.url, token: () => pod.token() };
    const { body } = await post(inPod, toolCall("up-slow"), { headers: inSession(await openSession(inPod)) });
    assertStringIncludes(JSON.stringify(body), "done");

    const env = Object.fromEntries(
      Object.entries(given).map(([name, value]) => [name, composed.withAddresses(value)]),
    );
    const doctor = JSON.parse((await runCli(["doctor", "--json"], { cwd: second!.cwd, env })).out);
    assert(doctor.examined.includes("3 replicas"), JSON.stringify(doctor.examined));
    const found = doctor.findings.map(({ id }: { id: string }) => id);
    assertEquals(found.filter((id: string) => !/^(machine\.|settings\.(no_tls|listen))/.test(id)), []);
  },
});
