import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { ListCursors } from "./list_cursor.ts";

const TOOLS = { method: "tools/list", serverId: null };
const AT = { gatewayCreatedAt: "2026-01-01T00:00:00.000Z", gatewayId: "g", position: 3, id: "t" };

Deno.test("ListCursors.open() reads what any worker with the same secret sealed", () => {
  const cursor = new ListCursors("secret").seal(TOOLS, AT);
  assertEquals(new ListCursors("secret").open(TOOLS, cursor), AT);
  assertEquals(/^[A-Za-z0-9_-]+$/.test(cursor), true);
  assertEquals(atob(cursor.replaceAll("-", "+").replaceAll("_", "/")).includes("2026"), false);
});

Deno.test("ListCursors.open() takes no cursor of another deployment, list or virtual server", () => {
  const cursors = new ListCursors("secret");
  const cursor = cursors.seal(TOOLS, AT);
  assertEquals(new ListCursors("other").open(TOOLS, cursor), null);
  assertEquals(cursors.open({ ...TOOLS, method: "prompts/list" }, cursor), null);
  assertEquals(cursors.open({ ...TOOLS, serverId: "s" }, cursor), null);
});

Deno.test("ListCursors.open() takes nothing that it has not sealed", () => {
  const cursors = new ListCursors("secret");
  const cursor = cursors.seal(TOOLS, AT);
  for (let i = 0; i < cursor.length - 1; i++) {
    const other = cursor[i] === "A" ? "B" : "A";
    assertEquals(cursors.open(TOOLS, cursor.slice(0, i) + other + cursor.slice(i + 1)), null, `at ${i}`);
  }
  for (const shorter of ["", "AAAA", cursor.slice(0, 30), cursor.slice(4), cursor.slice(0, -4)]) {
    assertEquals(cursors.open(TOOLS, shorter), null);
  }
  fc.assert(fc.property(fc.string({ maxLength: 2000 }), (text) => cursors.open(TOOLS, text) === null));
});
