// Who hears that a list has changed: clients that see the change. Whoever sees nothing of an upstream hears nothing of what it does,
// and a storm of announcements without a change reaches nobody.
import { assert, assertEquals } from "@std/assert";
import { EventStreamClient } from "../support/event_stream_client.ts";
import type { Gateway } from "../support/gateway.ts";
import { gatewayTest } from "../support/gateway_tests.ts";
import { INITIALIZE, inSession, openSession, post, toolCall } from "../support/mcp_post.ts";
import { SessionlessSocket } from "../support/sessionless_socket.ts";
import { TalkingUpstream } from "../support/talking_upstream.ts";
import { waitFor } from "../support/wait_for.ts";

const CHANGED = "notifications/tools/list_changed";

interface Hearer {
  readonly name: string;
  readonly count: () => number;
  readonly close: () => Promise<void>;
}

/** A client of one token on each transport, and what it has heard. */
async function hearers(gateway: Gateway, token: string, who: string): Promise<Hearer[]> {
  const headers = { authorization: `Bearer ${token}` };
  const count = (messages: readonly { method?: string }[]) => () =>
    messages.filter(({ method }) => method === CHANGED).length;
  const id = await openSession(gateway, { token });
  const get = await EventStreamClient.open(gateway, "/mcp", { headers: { ...headers, ...inSession(id) } });
  const socket = await SessionlessSocket.connect(gateway.url, token);
  socket.send(INITIALIZE);
  await socket.answerTo(INITIALIZE.id);
  const listening = await SessionlessSocket.connect(gateway.url, token);
  await listening.listen({ toolsListChanged: true });
  const close = (one: AsyncDisposable) => async () => await one[Symbol.asyncDispose]();
  return [
    { name: `${who}, GET`, count: count(get.messages), close: close(get) },
    { name: `${who}, WebSocket`, count: count(socket.messages), close: close(socket) },
    { name: `${who}, subscriptions/listen`, count: count(listening.messages), close: close(listening) },
  ];
}

gatewayTest(
  "list_changed reaches those who see the change, once, and nobody without a change",
  async (start) => {
    await using gateway = await start({ MCP_REVISIONS: "all" });
    await using upstream = new TalkingUpstream();
    upstream.tools = ["act"];
    await gateway.registerUpstream("up", upstream.url, { visibility: "team", team_id: "ours" });
    const token = (claims: Record<string, unknown>) =>
      gateway.token({ username: "bob@example.com", admin: false, claims });
    const insider = await token({ teams: ["ours"] });
    const outsiders = [
      await token({ teams: [] }),
      await token({ teams: ["theirs"] }),
      await token({ teams: ["ours"], scopes: { permissions: ["resources.read"] } }),
    ];
    // The upstream's announcements come on the stream of this session.
    const id = await openSession(gateway, { token: insider });
    const headers = { authorization: `Bearer ${insider}`, ...inSession(id) };
    await using _stream = await EventStreamClient.open(gateway, "/mcp", { headers });
    await post(gateway, toolCall("up-act"), { token: insider, headers: inSession(id) });
    await waitFor(() => upstream.streams === 1, { what: "the gateway to listen" });

    const inside = await hearers(gateway, insider, "a member of the team");
    const outside = (await Promise.all(outsiders.map((each, i) => hearers(gateway, each, `outsider ${i}`))))
      .flat();
    try {
      const heard = (all: readonly Hearer[]) =>
        Object.fromEntries(all.map(({ name, count }) => [name, count()]));
      const each = (all: readonly Hearer[], count: number) =>
        Object.fromEntries(all.map(({ name }) => [name, count]));
      const refreshes = () => gateway.api("GET", "/gateways").then(({ body }) => body[0].lastRefreshAt);
      const before = await refreshes();
      for (let i = 0; i < 60; i++) upstream.say({ method: CHANGED });
      await waitFor(async () => await refreshes() !== before, { what: "a refresh" });
      upstream.tools = ["act", "new"];
      for (let i = 0; i < 60; i++) upstream.say({ method: CHANGED });
      await waitFor(() => inside.every(({ count }) => count() > 0), { what: "the change" });

      // A change that everybody sees: what came before it has arrived.
      await using other = new TalkingUpstream();
      other.tools = ["act"];
      await gateway.registerUpstream("other", other.url);
      const seers = outside.filter(({ name }) => !name.startsWith("outsider 2"));
      await waitFor(() => [...inside, ...seers].every(({ count }) => count() >= 1), {
        what: "the other change",
      });
      await waitFor(() => inside.every(({ count }) => count() === 2), { what: "both changes" });
      assertEquals(heard(inside), each(inside, 2));
      assertEquals(heard(seers), each(seers, 1));
      assert(outside.length === 9);
      const unread = outside.filter(({ name }) => name.startsWith("outsider 2"));
      assertEquals(heard(unread), each(unread, 0), "a token without tools.read");
    } finally {
      await Promise.all([...inside, ...outside].map(({ close }) => close()));
    }
  },
);
