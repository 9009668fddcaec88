// The suite's authorization scenarios against the gateway's upstream side: it logs in at the suite's servers as itself, or people do.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { serveOnLoopback } from "../support/loopback_server.ts";
import { PersonBrowser } from "../support/person_browser.ts";
import { Sluice } from "../support/sluice.ts";
import { logIn } from "./client/log_in.ts";
import { OPTIONAL_EXTENSIONS } from "./expected_failures.ts";
import { objections, report, runClientList, runClientSuite, type SuiteResult } from "./suite.ts";

/** Scenarios whose server must not be logged in at, or not again, and why the gateway says that it does not. */
const REFUSED: Readonly<Record<string, string>> = {
  "auth/scope-retry-limit": "Unknown tool",
  "auth/resource-mismatch": "its metadata are of another resource",
  "auth/iss-supported-missing": "not of the authorization server that was asked",
  "auth/iss-wrong-issuer": "not of the authorization server that was asked",
  "auth/iss-unexpected": "not of the authorization server that was asked",
  "auth/iss-normalized": "not of the authorization server that was asked",
  "auth/metadata-issuer-mismatch": "name another issuer",
};

/** How many scenarios there are, so that none is left out unseen: those that the revision requires, and the others. */
const COUNTS = { "2025-11-25": [14, 6], "2026-07-28": [25, 6] } as const;

Deno.test("The gateway, as a client, logs in as the suite's authorization scenarios want it", async (t) => {
  await using gateway = await Sluice.start();
  const person = await PersonBrowser.make(gateway, "ann@x.example");
  /** Why a scenario could not call the tool, by revision and scenario; null: it could. */
  const faults = new Map<string, string | null>();
  await using driver = serveOnLoopback(async (request) => {
    const claim = (name: string) => request.headers.get(`x-${name}`) ?? "";
    const [scenario, revision] = [claim("scenario"), claim("revision")];
    const context = JSON.parse(claim("context") || "{}");
    const url = await request.text();
    const fault = scenario.startsWith("auth/")
      ? await logIn(gateway, person, { scenario, revision, url, context }).then(() => null, String)
      : "another test's";
    faults.set(`${revision} ${scenario}`, fault);
    return new Response(fault, { status: fault === null ? 200 : 500 });
  });
  // The suite's shell fills in what the suite tells of the scenario, and the suite appends the address of its server.
  const told = { scenario: "SCENARIO", revision: "PROTOCOL_VERSION", context: "CONTEXT" };
  const headers = Object.entries(told).map(([name, variable]) =>
    `-H "x-${name}: $MCP_CONFORMANCE_${variable}"`
  );
  const command = `curl -sS --fail-with-body ${headers.join(" ")} http://127.0.0.1:${driver.addr.port} -d`;

  const check = (result: SuiteResult, revision: string) => {
    const scenarios = result.scenarios.filter(({ scenario }) => scenario.startsWith("auth/"));
    const text = `${report({ ...result, scenarios })}\n${
      JSON.stringify(Object.fromEntries(faults), null, 1)
    }`;
    const offered = scenarios.filter(({ scenario }) => !(scenario in OPTIONAL_EXTENSIONS));
    assertEquals(objections({ ...result, scenarios: offered }), [], text);
    for (const { scenario } of offered) {
      const fault = faults.get(`${revision} ${scenario}`);
      if (scenario in REFUSED) assertStringIncludes(fault ?? "", REFUSED[scenario]!, text);
      else assertEquals(fault, null, text);
    }
    // What passes by now is an exception no longer.
    for (const optional of scenarios.filter((each) => !offered.includes(each))) {
      assert(objections({ ...result, scenarios: [optional] }).length > 0, optional.scenario);
    }
    return scenarios;
  };
  for (const revision of ["2025-11-25", "2026-07-28"] as const) {
    await t.step(`all that ${revision} requires, and extensions`, async () => {
      const scenarios = check(await runClientSuite(command, revision), revision);
      const required = scenarios.filter(({ isRequired }) => isRequired).length;
      assertEquals([required, scenarios.length - required], COUNTS[revision]);
    });
  }
  await t.step("servers of 2025-06-18", async () => {
    assertEquals(check(await runClientList(command, "auth", "2025-06-18"), "2025-06-18").length, 3);
  });
  await t.step("servers of 2025-03-26, without metadata of their own", async () => {
    assertEquals(check(await runClientList(command, "backcompat", "2025-03-26"), "2025-03-26").length, 2);
  });
});
