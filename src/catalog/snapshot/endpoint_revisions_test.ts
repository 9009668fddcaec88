import { assertEquals } from "@std/assert";
import { gatewayRow } from "../../../tests/support/catalog_rows.ts";
import { SESSION_REVISIONS } from "../../mcp/revisions.ts";
import type { GatewayRow } from "../../store/registry/rows.ts";
import { endpointRevisions, negotiated } from "./endpoint_revisions.ts";

const SESSION: Partial<GatewayRow> = { protocols: ["2025-11-25"], stateful: true };
const PLAIN: Partial<GatewayRow> = { protocols: ["2025-11-25"], stateful: false };
const NEWER: Partial<GatewayRow> = { protocols: ["2026-07-28"], stateful: false };
const BOTH: Partial<GatewayRow> = { protocols: ["2026-07-28", "2025-11-25"], stateful: true };

Deno.test("endpointRevisions() of auto offers 2026-07-28 where no upstream takes a client's state from it", () => {
  const cases: [upstreams: Partial<GatewayRow>[], offers: boolean][] = [
    [[], true],
    [[PLAIN, NEWER, BOTH, { ...SESSION, isolation: "shared" }], true],
    [[SESSION], false],
    [[PLAIN, SESSION], false],
    [[{ ...SESSION, isolation: "caller" }], false],
    [[{ ...BOTH, protocol: "2025-11-25" }], false],
    // What the operator has decided is not asked.
    [[{ ...SESSION, protocol: "2026-07-28" }], true],
    // Not known yet.
    [[{}], false],
  ];
  for (const [upstreams, offers] of cases) {
    const rows = upstreams.map((given, i) => gatewayRow(`${i}`, given));
    const found = endpointRevisions("auto", rows);
    assertEquals(
      [found.stateless, found.sessions],
      [offers, SESSION_REVISIONS],
      JSON.stringify(upstreams),
    );
  }
});

Deno.test("endpointRevisions() follows the operator's choice whatever the upstreams speak", () => {
  const rows = [gatewayRow("a", SESSION)];
  const of = (offered: "all" | string[]) => {
    const { sessions, stateless } = endpointRevisions(offered, rows);
    return [sessions, stateless];
  };
  assertEquals(of("all"), [SESSION_REVISIONS, true]);
  assertEquals(of(["2026-07-28"]), [[], true]);
  assertEquals(of(["2025-03-26", "2025-06-18"]), [["2025-06-18", "2025-03-26"], false]);
});

Deno.test("negotiated() takes the client's revision if it is offered, else the newest that is", () => {
  const some = endpointRevisions(["2025-06-18", "2025-03-26"], []);
  assertEquals(
    ["2025-03-26", "2025-11-25", "1999-01-01"].map((asked) => negotiated(some, asked)),
    ["2025-03-26", "2025-06-18", "2025-06-18"],
  );
  assertEquals(negotiated(endpointRevisions(["2026-07-28"], []), "2025-11-25"), null);
});
