import { assertEquals } from "@std/assert";
import { loadConfig } from "../config/load.ts";
import { parseRedisUrl, redisLocation } from "./redis_url.ts";

const PLAIN = { host: "h", port: 6379, tls: false, username: null, password: null, database: 0 };

/** Does the setting REDIS_URL accept the text? */
function isAccepted(text: string): boolean {
  try {
    loadConfig({ environment: { REDIS_URL: text }, dotEnv: null, dev: false, overrides: {}, cores: 1 });
    return true;
  } catch {
    return false;
  }
}

Deno.test("parseRedisUrl() reads every part, and takes defaults for those that are left out", () => {
  const cases: [string, Partial<typeof PLAIN> | Record<string, unknown>][] = [
    ["redis://h", {}],
    ["redis://h/", {}],
    ["redis://h:1234/15", { port: 1234, database: 15 }],
    ["rediss://h", { tls: true }],
    ["redis://:p%2Fw%3A%41@h", { password: "p/w:A" }],
    ["redis://ann:pw@h:1", { username: "ann", password: "pw", port: 1 }],
    ["redis://[::1]:7/2", { host: "::1", port: 7, database: 2 }],
  ];
  for (const [text, parts] of cases) {
    assertEquals(parseRedisUrl(text), { ...PLAIN, ...parts }, text);
    assertEquals(isAccepted(text), true, text);
  }
});

Deno.test("parseRedisUrl() and REDIS_URL take nothing that would be left aside", () => {
  const bad = [
    "",
    "h:6379",
    "http://h",
    "redis://",
    "redis://h/x",
    "redis://h?ssl=1",
    "redis://h#x",
    "redis://h:99999x",
  ];
  for (const text of bad) {
    assertEquals(parseRedisUrl(text), null, text);
    if (text !== "") assertEquals(isAccepted(text), false, text);
  }
  assertEquals(parseRedisUrl("redis://:%zz@h"), null);
});

Deno.test("redisLocation() has no secret in it", () => {
  assertEquals(redisLocation(parseRedisUrl("redis://u:hush@h:1/2")!), "h:1");
  assertEquals(redisLocation(parseRedisUrl("redis://:hush@[::1]")!), "[::1]:6379");
});
