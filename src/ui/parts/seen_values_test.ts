import { assertEquals } from "@std/assert";
import type { PageCall, PageHandler } from "../call/page_call.ts";
import { changeRole } from "../people/role_pages.tsx";
import { changeTeam } from "../people/team_form.tsx";
import { valuesOf } from "../servers/server_body.ts";
import { changeServer } from "../servers/server_pages.tsx";
import type { VirtualServer } from "../servers/server_shapes.ts";

const SERVER: VirtualServer = {
  ...{ id: "s", name: "s", description: null, enabled: true, visibility: "public", naming: "prefixed" },
  ...{ instructions: null, revisions: "all", conflicts: [], associatedTools: [], excluded: [] },
  ...{ associatedToolIds: ["a"], associatedResources: [], associatedPrompts: [] },
  ...{ associatedGateways: [], associatedGatewayIds: [], associatedTags: ["red"] },
};

Deno.test("a form that is sent as it was shown writes nothing, and says so", async () => {
  const send = async (change: PageHandler, stored: unknown, values: URLSearchParams) => {
    const answer = await change({
      params: { id: "x", role: "x" },
      form: () => Promise.resolve(values),
      rest: {
        get: () => Promise.resolve(stored),
        attempt: () => Promise.reject(new Error("it has written something")),
      },
    } as unknown as PageCall);
    return (answer as { notice?: { text: string } }).notice?.text;
  };
  const role = { id: "r", name: "reads", description: "", permissions: ["tools.read", "servers.read"] };
  const team = { id: "t", name: "Red", description: null, visibility: "private" };
  const ofRole = [["name", "reads"], ["description", ""], ...role.permissions.map((p) => ["permissions", p])];
  assertEquals(
    [
      await send(changeServer, SERVER, valuesOf(SERVER)),
      await send(changeRole, role, new URLSearchParams(ofRole)),
      await send(
        changeTeam,
        team,
        new URLSearchParams({ name: "Red", description: "", visibility: "private" }),
      ),
    ],
    Array(3).fill("Nothing is changed."),
  );
});
