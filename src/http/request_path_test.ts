import { assertEquals } from "@std/assert";
import { pathOf } from "./request_path.ts";

Deno.test("pathOf() takes the path as it came, without query and one trailing slash", () => {
  const cases = [
    ["http://a/", "/"],
    ["http://a", "/"],
    ["http://a/mcp", "/mcp"],
    ["http://a/mcp/", "/mcp"],
    ["http://a:1/mcp?x=1/", "/mcp"],
    ["http://a/servers/x%2Fy/mcp", "/servers/x%2Fy/mcp"],
    ["http://a/?q", "/"],
  ];
  for (const [url, path] of cases) assertEquals(pathOf(url!), path);
});
