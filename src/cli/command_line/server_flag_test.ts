import { assertEquals } from "@std/assert";
import { principal } from "../../../tests/support/fakes.ts";
import { serverMistakes } from "./server_flag.ts";

Deno.test("serverMistakes() finds a server that does not exist, or that the bearer could not see", () => {
  const servers = [
    { id: "clock", name: "The Clock", visibility: "public", teamId: null, ownerEmail: "b@x" },
    { id: "inner", name: "Inner", visibility: "team", teamId: "t1", ownerEmail: "b@x" },
  ] as const;
  const mistakes = (id: string, teams: string[] = []) =>
    serverMistakes(id, principal({ isAdmin: false, teams }), servers);
  assertEquals(mistakes("clock"), []);
  assertEquals(mistakes("clok"), [
    '--server: there is no virtual server with the id "clok"; did you mean clock?',
  ]);
  assertEquals(mistakes("the clock")[0].endsWith("; the server of this name has the id clock"), true);
  assertEquals(mistakes("inner")[0].endsWith("; add --teams t1"), true);
  assertEquals(mistakes("inner", ["t1"]), []);
  assertEquals(serverMistakes("x", principal(), []), [
    '--server: there is no virtual server with the id "x"',
  ]);
});
