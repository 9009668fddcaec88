import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { locationOf, parsePostgresUrl } from "./postgres_url.ts";

Deno.test("parsePostgresUrl() reads all parts, and unquotes what SQLAlchemy unquotes", () => {
  const target = parsePostgresUrl("postgresql+psycopg://me%40x:p/a#s?s%40%zz@db.example:6543/mcp%20db");
  assertEquals(
    [target.host, target.port, target.user, target.password, target.database],
    ["db.example", 6543, "me@x", "p/a#s?s%40%zz", "mcp db"],
  );
  const shorter = parsePostgresUrl("postgres://me@[::1]/mcp");
  assertEquals([shorter.host, shorter.port, shorter.password], ["::1", 5432, ""]);
  assertEquals(locationOf(shorter), "[::1]:5432/mcp");
});

Deno.test("parsePostgresUrl() gives sslmode libpq's meanings", () => {
  const tls = (query: string) => parsePostgresUrl(`postgres://u@h/d${query}`).tls;
  assertEquals(
    ["", "?sslmode=disable", "?sslmode=allow", "?sslmode=require", "?sslmode=verify-ca"].map(tls),
    ["prefer", "disable", "prefer", "require", "verify-full"],
  );
  assertEquals(tls("?sslmode=require&sslrootcert=/ca.pem"), "verify-full");
});

Deno.test("parsePostgresUrl() knows PgBouncer by the word in the URL or by its parameter", () => {
  const isPgbouncer = (rest: string) =>
    parsePostgresUrl(`postgres://pgbouncer:pgbouncer@${rest}`).isPgbouncer;
  assertEquals(
    ["h/d", "PgBouncer:6432/d", "h/d?pgbouncer=true", "pgbouncer/d?pgbouncer=false"].map(isPgbouncer),
    [false, true, true, false],
  );
});

Deno.test("parsePostgresUrl() says what is wrong, and no password", () => {
  const cases: [url: string, words: string][] = [
    ["postgres:/u:hush@h/d", "must look like"],
    ["postgres://u:hush@/d", "no host"],
    ["postgres://u:hu@sh@h/d", "%40"],
    ["postgres://u:hush@h,i/d", "one host"],
    ["postgres://h/d", "no user"],
    ["postgres://u:hush@h", "no database"],
    ["postgres://u:hush@h:x/d", "port"],
    ["postgres://u:hush@h/d?sslmod=require&options=-c", "unknown parameters (sslmod, options)"],
    ["postgres://u:hush@h/d?sslmode=on", "sslmode must be one of"],
    ["postgres://u:hush@h/d?connect_timeout=0", "connect_timeout"],
    ["postgres://u:hush@h/d?pgbouncer=1", "pgbouncer must be"],
  ];
  for (const [url, words] of cases) {
    const error = assertThrows(() => parsePostgresUrl(url), SluiceError);
    assertEquals(error.code, "SETTINGS_INVALID");
    assertStringIncludes(error.message, words, url);
    assertEquals(error.message.includes("hush"), false, url);
  }
});
