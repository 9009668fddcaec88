import { assertEquals, assertThrows } from "@std/assert";
import { requireRestPermission } from "../../auth/rbac.ts";
import { SluiceError } from "../../base/errors.ts";
import { scraperOf } from "./metrics_token.ts";

const SECRET = "k7Jq2mVx9Rt4Wz8Yb3Nc6Pd1Fg5Hs0La";

Deno.test("scraperOf() knows its secret alone, and what it finds may read metrics and nothing else", () => {
  const find = scraperOf(SECRET);
  const others = [
    null,
    "",
    SECRET,
    `Basic ${SECRET}`,
    `Bearer ${SECRET}x`,
    `Bearer ${SECRET.slice(1)}`,
    "Bearer ",
  ];
  assertEquals(others.map(find), others.map(() => null));
  const scraper = find(`bearer ${SECRET}`)!;
  requireRestPermission(scraper, "admin.metrics", null);
  for (const permission of ["admin.system_config", "tools.read", "tools.execute"] as const) {
    assertThrows(() => requireRestPermission(scraper, permission, null), SluiceError);
  }
});
