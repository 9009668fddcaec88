import { assertEquals } from "@std/assert";
import { masked } from "./mask.ts";

Deno.test("masked() shows nothing of a secret, and of a URL all but the password", () => {
  assertEquals(masked({ secret: "value" }, "hush"), "****");
  const rows = [
    ["redis://localhost:6379/0", "redis://localhost:6379/0"],
    ["redis://:hush@h:6379/0", "redis://:****@h:6379/0"],
    ["postgresql+psycopg://u:hu@sh@h/d", "postgresql+psycopg://u:****@h/d"],
    ["postgres://u:hu/sh@h/d", "postgres://u:****@h/d"],
    ["postgres://u@h/d?password=hush&x=1", "postgres://u@h/d?password=****&x=1"],
    ["sqlite:////var/lib/mcp.db", "sqlite:////var/lib/mcp.db"],
  ];
  for (const [text, shown] of rows) assertEquals(masked({ secret: "url" }, text), shown);
});

Deno.test("masked() shows nothing of a URL that is none", () => {
  assertEquals(masked({ secret: "url" }, "u:hush@h", false), "****");
});

Deno.test("masked() shows other values, long ones cut", () => {
  assertEquals([masked({}, "x"), masked({}, null), masked({}, "x".repeat(500)).length], ["x", "-", 201]);
});
