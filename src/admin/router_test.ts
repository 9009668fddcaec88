import { ANONYMOUS } from "../auth/authenticate.ts";
import { assertEquals } from "@std/assert";
import { ADMIN, ALICE, withAdminApi } from "../../tests/support/admin_api.ts";
import type { AdminDeps } from "./rest/deps.ts";
import { createAdminApi } from "./router.ts";
import { ROUTES } from "./routes.ts";

Deno.test("AdminApi.match() knows its own paths, versioned or not, and leaves the data plane's alone", () => {
  const api = createAdminApi({} as AdminDeps);
  for (
    const path of [
      "/gateways",
      "/gateways/",
      "/v1/gateways",
      "/v1/tools/abc/",
      "/resources/templates/list",
      "/health",
    ]
  ) {
    assertEquals(api.match(path), true, path);
  }
  for (
    const path of [
      "/",
      "/v1",
      "/rpc",
      "/mcp",
      "/servers/abc/mcp",
      "/gateways//state",
      "/v1/v1/tools",
      "/tools/a/b",
    ]
  ) {
    assertEquals(api.match(path), false, path);
  }
});

Deno.test("AdminApi.admit() refuses unknown paths, methods and damaged encodings", () =>
  withAdminApi(async ({ call }) => {
    assertEquals((await call("GET", "/nothing")).status, 404);
    assertEquals((await call("GET", "/tools/%E0%A4%A")).status, 404);
    const wrong = await call("PATCH", "/gateways");
    assertEquals([wrong.status, wrong.body.detail], [405, "PATCH is not allowed here; use GET, POST"]);
    assertEquals((await call("HEAD", "/gateways")).status, 200);
    assertEquals((await call("PUT", "/resources/templates/list", { body: {} })).status, 405);
  }));

Deno.test("AdminApi.admit() asks for the permission of every route that has one, and for a token where the route is about its bearer", () =>
  withAdminApi(async ({ call }) => {
    const nobody = { ...ADMIN, permissions: [] };
    const open = ["/health", "/ready", "/register"];
    const logins = ["/auth/login", "/auth/email/login", "/auth/setup", "/auth/change-password"];
    logins.push("/auth/reset-password", "/auth/email/reset-password/{token}", "/auth/email/forgot-password");
    for (const { method, path, permission } of ROUTES) {
      const { status } = await call(method, path.replace("{id}", "x"), { as: nobody, body: {} });
      const isForAll = permission === null || permission === "token";
      if (permission !== "token") assertEquals(status === 403, !isForAll, `${method} ${path}`);
      assertEquals([path, permission === null], [path, [...open, ...logins].includes(path)]);
      if (permission !== "token") continue;
      assertEquals((await call(method, path, { as: ANONYMOUS, body: {} })).status, 401, path);
      assertEquals(
        (await call(method, path, { as: { ...ALICE, serverId: "s1" }, body: {} })).status,
        403,
        path,
      );
    }
  }));

Deno.test("AdminApi.admit() keeps a token for one server to that server", () =>
  withAdminApi(async ({ call }) => {
    await call("POST", "/servers", { body: { server: { id: "s1", name: "x" } } });
    const scoped = { ...ALICE, serverId: "s1" };
    assertEquals((await call("GET", "/servers/s1", { as: scoped })).status, 200);
    assertEquals((await call("GET", "/servers/s1/tools", { as: scoped })).status, 200);
    assertEquals((await call("GET", "/servers/s2", { as: scoped })).status, 403);
    assertEquals((await call("GET", "/tools", { as: scoped })).status, 403);
    assertEquals((await call("GET", "/version", { as: { ...ADMIN, serverId: "s1" } })).status, 403);
  }));

Deno.test("GET /health, /ready and /version answer like ContextForge's", () =>
  withAdminApi(async ({ call }) => {
    assertEquals(await call("GET", "/health"), { status: 200, body: { status: "healthy" } });
    const ready = await call("GET", "/ready");
    assertEquals([ready.status, ready.body.reasons], [503, ["database: gone"]]);
    assertEquals((await call("GET", "/version")).body.app.name, "sluice");
  }));
