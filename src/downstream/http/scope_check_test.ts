import { assertEquals, assertThrows } from "@std/assert";
import { principal } from "../../../tests/support/fakes.ts";
import { SluiceError } from "../../base/errors.ts";
import { requireScopes } from "./scope_check.ts";

const RESOURCE = "https://gw.example/mcp";
const call = (method: string, params: unknown = {}) => ({ jsonrpc: "2.0", id: 1, method, params });

Deno.test("requireScopes() names what the messages of a body need, besides what the access token has", () => {
  const reader = principal({ resource: RESOURCE, permissions: ["tools.read"] });
  const missing = (body: unknown) => {
    const check = () => requireScopes(reader, JSON.stringify(body), 64);
    return assertThrows(check, SluiceError).params.scope;
  };
  assertEquals(missing(call("tools/call")), "tools.read tools.execute");
  assertEquals(missing([call("tools/list"), call("prompts/get")]), "tools.read prompts.read");
  assertEquals(
    missing(call("completion/complete", { ref: { type: "ref/prompt" } })),
    "tools.read prompts.read",
  );
  for (
    const body of [call("tools/list"), call("ping"), call("toString"), call("completion/complete"), 5, [null]]
  ) {
    requireScopes(reader, JSON.stringify(body), 64);
  }
  requireScopes(reader, "", 64);
});

Deno.test("requireScopes() leaves other tokens alone, and reads no body for a token with all scopes", () => {
  const body = JSON.stringify(call("tools/call"));
  requireScopes(principal({ permissions: ["tools.read"] }), body, 64);
  requireScopes(principal({ resource: RESOURCE, permissions: null }), "no JSON", 64);
  requireScopes(
    principal({
      resource: RESOURCE,
      permissions: ["tools.read", "tools.execute", "resources.read", "prompts.read"],
    }),
    "no JSON",
    64,
  );
});
