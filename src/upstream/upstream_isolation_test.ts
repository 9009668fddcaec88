// Whose state a call meets, in every cell of client, upstream, transport and isolation.
import { assertEquals } from "@std/assert";
import { Prng } from "../../tests/support/prng.ts";
import { FakePeers, type Script, sessionScript, statelessScript } from "../../tests/support/fake_peers.ts";
import { call } from "../../tests/support/pooled_upstream.ts";
import { upstreamDeps, upstreamProfile } from "../../tests/support/upstream_deps.ts";
import { systemClock } from "../base/clock.ts";
import { type SpokenRevisions, spokenRevisions } from "../mcp/spoken_revisions.ts";
import type { Isolation } from "../store/registry/rows.ts";
import type { TransportKind } from "./transport/transport.ts";
import { BoundSessions } from "./bound/bound_sessions.ts";
import { Upstream } from "./upstream.ts";

/** Each channel counts its calls. */
const counting = (script: Script): Script => (said, peer) =>
  said.method === "tools/call"
    ? { result: { count: peer.methods.filter((method) => method === "tools/call").length } }
    : script(said, peer);

const UPSTREAMS: readonly (readonly [protocols: string[], Script])[] = [
  [["2025-11-25"], sessionScript({ error: { code: -32601, message: "?" } })],
  [["2026-07-28"], statelessScript],
  [
    ["2026-07-28", "2025-11-25"],
    (said, peer) =>
      said.method === "initialize" ? sessionScript(undefined)(said, peer) : statelessScript(said, peer),
  ],
];

interface Actor {
  readonly user: string;
  readonly revision: "2025-11-25" | "2026-07-28";
  readonly bound: BoundSessions | null;
}

function actors(): Actor[] {
  return ["ann", "bob"].flatMap((user): Actor[] => [
    { user, revision: "2025-11-25", bound: new BoundSessions() },
    { user, revision: "2025-11-25", bound: new BoundSessions() },
    // Without a session: two programs of the user, and /rpc.
    { user, revision: "2026-07-28", bound: null },
    { user, revision: "2026-07-28", bound: null },
    { user, revision: "2025-11-25", bound: null },
  ]);
}

/** Actors with one name share a counter. A caller of both kinds of revisions has a process for each that the upstream speaks. */
function holderOf(
  { user, revision, bound }: Actor,
  isolation: Isolation,
  spoken: SpokenRevisions,
  n: number,
) {
  const kind = spoken.sessions && spoken.stateless ? revision : "";
  if (isolation === "shared") return kind;
  return isolation === "session" && bound !== null ? `session ${n}` : `${user} ${kind}`;
}

for (const kind of ["stdio", "websocket", "sse"] as const satisfies TransportKind[]) {
  Deno.test(`Upstream.request() over ${kind} gives everybody his own state and nobody another's, in every cell`, async () => {
    for (const [protocols, script] of UPSTREAMS) {
      for (const isolation of ["session", "caller", "shared"] as const) {
        const transport = kind.toUpperCase();
        const revisions = spokenRevisions({ protocol: "auto", protocols, transport, isolation });
        const prng = new Prng(isolation.length * 7 + kind.length);
        const fake = new FakePeers(systemClock, counting(script));
        const upstream = new Upstream(
          upstreamProfile({ isolation, revisions }),
          fake.transport({ kind }),
          upstreamDeps({ poolEnabled: prng.chance(0.5) }),
        );
        const told = new Map<string, number[]>();
        const all = actors();
        await Promise.all(all.map(async (actor, n) => {
          const { user, revision, bound } = actor;
          const token = { issuer: "i", subject: user, reach: "", user: "u@x.example" };
          const holder = holderOf(actor, isolation, revisions, n);
          for (let i = 0; i < 5; i++) {
            const asked = call({ token, revision, bound });
            const { text } = await upstream.request("tools/call", '{"name":"t"}', asked);
            told.set(holder, [...told.get(holder) ?? [], JSON.parse(text).count]);
            for (let turns = prng.int(5); turns > 0; turns--) await undefined;
          }
        }));
        for (const [holder, counts] of told) {
          const where = `${JSON.stringify(revisions)} ${isolation} ${holder}`;
          assertEquals(counts.toSorted((a, b) => a - b), counts.map((_, i) => i + 1), where);
        }
        assertEquals(fake.peers.length, told.size);
        upstream.retire();
        await Promise.all(all.map(({ bound }) => bound?.end()));
      }
    }
  });
}
