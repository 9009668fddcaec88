import { assertEquals, assertThrows } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import { parseAccounts, stdioAccount } from "./account.ts";

Deno.test("parseAccounts() reads every complete line, and fills in a missing home and shell", () => {
  const passwd = "mcp:x:10001:10002:MCP:/home/mcp:/bin/bash\n# a comment\n+::::::\nbare:x:7:8:::\n\n";
  assertEquals(parseAccounts(passwd), [
    { name: "mcp", uid: 10001, gid: 10002, home: "/home/mcp", shell: "/bin/bash" },
    { name: "bare", uid: 7, gid: 8, home: "/", shell: "/bin/sh" },
  ]);
});

Deno.test("stdioAccount() is only looked up for stdio upstreams, and must exist", () => {
  assertEquals(stdioAccount({ stdioEnabled: true, mcpConfig: null, stdioUser: null }), null);
  assertEquals(stdioAccount({ stdioEnabled: false, mcpConfig: null, stdioUser: "no-such-user" }), null);
  const find = () => stdioAccount({ stdioEnabled: false, mcpConfig: "mcp.json", stdioUser: "no-such-user" });
  const { code, message } = assertThrows(find, SluiceError);
  assertEquals([code, message.startsWith("STDIO_USER=no-such-user: ")], ["SETTINGS_INVALID", true]);
});
