// The official suite's scenarios for authorization servers, against the gateway's. A person allows the suite's client.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { ChildOutput } from "../support/child_output.ts";
import { freePort } from "../support/free_port.ts";
import { npmProgram } from "../support/npm_programs.ts";
import { OAuthPerson } from "../support/oauth_person.ts";
import { Sluice } from "../support/sluice.ts";
import { waitFor } from "../support/wait_for.ts";

Deno.test("the official suite finds no fault in the authorization server", async () => {
  await using gateway = await Sluice.start();
  const person = await OAuthPerson.make(gateway, "ann@x.org");
  const port = freePort();
  const client = await person.register({ redirect_uris: [`http://127.0.0.1:${port}/callback`] });
  const { command, args } = npmProgram(
    "conformance",
    ...["authorization", "--url", gateway.url, "--resource", `${gateway.url}/mcp`],
    ...["--client-id", client, "--port", String(port)],
  );
  const child = new Deno.Command(command, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  const [stdout, stderr] = [new ChildOutput(child.stdout), new ChildOutput(child.stderr)];
  const text = () => [...stdout.lines, ...stderr.lines].join("\n");
  const addressIn = () => /\S+\/oauth\/authorize\?(\S+)/.exec(text())?.[1];
  await waitFor(() => addressIn() !== undefined, { what: "the address to visit" });
  const allowed = await person.decide(new URLSearchParams(addressIn()));
  await allowed.body?.cancel();
  // The suite tells the address before it listens for the answer.
  const shown = await waitFor(async () => await (await fetch(allowed.headers.get("location")!)).text(), {
    what: "the page of the suite",
  });
  assertEquals(shown, "OK. You can close this page.");
  const { code } = await child.status;
  await Promise.all([stdout.ended, stderr.ended]);
  assertStringIncludes(text(), "authorization-server-metadata-endpoint: 2 passed, 0 failed");
  assertStringIncludes(text(), "authorization-code-grant: 1 passed, 0 failed");
  assertEquals(code, 0, text());
});
