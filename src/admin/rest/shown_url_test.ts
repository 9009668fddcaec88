import { assertEquals } from "@std/assert";
import { maskedUrl, shownUrl, unmaskedUrl } from "./shown_url.ts";

const ADMIN = { isAdmin: true };
const USER = { isAdmin: false };

Deno.test("shownUrl() shows administrators names without values, and others the origin", () => {
  const rows: [url: string, toAdmins: string, toOthers: string][] = [
    ["https://h/mcp", "https://h/mcp", "https://h"],
    ["https://h:8443/s/secret/mcp?key=hush", "https://h:8443/s/secret/mcp?key=*****", "https://h:8443"],
    ["wss://h/ws?a=1&a=2&b=&c", "wss://h/ws?a=*****&a=*****&b=&*****", "wss://h"],
    ["https://h/?sk-hush", "https://h/?*****", "https://h"],
    ["https://h/?a=b=c%26d&", "https://h/?a=*****&", "https://h"],
    ["stdio:npx?arg=--key&arg=hush", "stdio:npx?arg=--key&arg=hush", "stdio:"],
  ];
  for (const [url, toAdmins, toOthers] of rows) {
    assertEquals([url, shownUrl(url, ADMIN), shownUrl(url, USER)], [url, toAdmins, toOthers]);
  }
});

Deno.test("unmaskedUrl() keeps the stored values of a URL that a client has read", () => {
  for (const url of ["https://h/mcp?a=1&a=2&b=&c=x%20y%26&tok", "https://h/", "https://h/?*****"]) {
    assertEquals(unmaskedUrl(maskedUrl(url), url), url);
  }
});

Deno.test("unmaskedUrl() takes what is new, and keeps the rest by name and place", () => {
  const stored = "https://h/mcp?key=hush&a=1&a=2&sk-hush";
  const rows: [given: string, url: string | null][] = [
    ["https://h/other?key=*****", "https://h/other?key=hush"],
    ["https://h/mcp?a=9&a=*****", "https://h/mcp?a=9&a=2"],
    ["https://h/mcp?*****&new=1", "https://h/mcp?sk-hush&new=1"],
    ["https://h/mcp?key=new", "https://h/mcp?key=new"],
    ["https://h/mcp?other=*****", null],
    ["https://h/mcp?a=*****&a=*****&a=*****", null],
    ["https://h/mcp?*****&*****", null],
    // One of two is left: the mask does not say which one.
    ["https://h/mcp?a=*****", null],
  ];
  for (const [given, url] of rows) assertEquals([given, unmaskedUrl(given, stored)], [given, url]);
  assertEquals(unmaskedUrl("https://h/?a=*****", null), null);
  assertEquals(unmaskedUrl("https://h/?a=1", null), "https://h/?a=1");
});
