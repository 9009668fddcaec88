import { assertEquals } from "@std/assert";
import { hostOf, isOnThisMachine, isRegistered, redirectFault } from "./redirect_uris.ts";

Deno.test("redirectFault() takes https, loopback and the schemes of programs, and nothing that reads two ways", () => {
  const good = [
    ...[
      "https://app.example/cb",
      "https://app.example:8443/cb?x=1",
      "http://127.0.0.1/cb",
      "http://[::1]:4/cb",
    ],
    ...[
      "http://localhost:3000/cb",
      "cursor://anysphere.cursor-retrieval/oauth/callback",
      "com.example.app:/cb",
    ],
    "vscode://vscode.github-authentication/did-authenticate",
  ];
  for (const uri of good) assertEquals(redirectFault(uri), null, uri);
  const bad = [
    ...[
      "",
      "app",
      "/cb",
      "//evil/cb",
      "http://app.example/cb",
      "http://127.0.0.1.evil/cb",
      "http://localhost.evil/cb",
    ],
    ...[
      "https://app.example/cb#x",
      "https://app.example/cb#",
      "https://u@app.example/cb",
      "https://u:p@app.example/",
    ],
    ...[
      "https://@app.example/cb",
      "http://127.0.0.1@evil/cb",
      "http://127.0.0.1:80@evil/cb",
      "https:///cb",
      "https:app.example",
    ],
    ...[
      "https://app.example/a/../cb",
      "https://app.example/./cb",
      "https://app.example/%2e%2e/cb",
      "https://app.example/a/..",
    ],
    ...[
      "https://app.example\\@evil/cb",
      "https://app.example/c b",
      "https://app.example/\tcb",
      "https://app.example/\u00e9",
    ],
    ...[
      "javascript:alert(1)",
      "JavaScript://x/%0aalert(1)",
      "data:text/html,x",
      "vbscript:x",
      "file:///etc/passwd",
      "blob:x",
    ],
    ...[
      "intent://x",
      "ws://127.0.0.1/",
      "about:blank",
      "http://0.0.0.0/cb",
      "http://127.1/../cb",
      `https://a.example/${"a".repeat(500)}`,
    ],
  ];
  for (const uri of bad) assertEquals(typeof redirectFault(uri), "string", uri);
});

Deno.test("isRegistered() compares texts, and leaves the port of a loopback address free", () => {
  const own = (given: string, ...registered: string[]) => isRegistered(given, registered);
  assertEquals(own("https://app.example/cb", "https://x.example/", "https://app.example/cb"), true);
  for (
    const given of [
      ...[
        "https://app.example/cb/",
        "https://app.example/cb?x=1",
        "https://app.example/CB",
        "https://APP.example/cb",
      ],
      ...[
        "https://app.example:443/cb",
        "https://app.example:444/cb",
        "https://app.example.evil/cb",
        "http://app.example/cb",
      ],
      ...["https://app.example/cb/../cb", "https://app.example/cb%00", "https://sub.app.example/cb", ""],
    ]
  ) assertEquals(own(given, "https://app.example/cb"), false, given);
  for (const given of ["http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"]) {
    assertEquals(own(given, "http://127.0.0.1:3000/cb"), true, given);
  }
  for (
    const given of [
      ...[
        "http://localhost:3000/cb",
        "http://127.0.0.1:3000/",
        "http://127.0.0.1:3000/cb?x",
        "https://127.0.0.1/cb",
      ],
      ...[
        "http://127.0.0.1:3000@evil/cb",
        "http://127.0.0.1:3000.evil/cb",
        "http://127.0.0.1:300000/cb",
        "http://127.0.0.2/cb",
      ],
    ]
  ) assertEquals(own(given, "http://127.0.0.1:3000/cb"), false, given);
  assertEquals(own("cursor://a/cb", "cursor://a/cb"), true);
  assertEquals(own("cursor://b/cb", "cursor://a/cb"), false);
});

Deno.test("hostOf() and isOnThisMachine() say where the browser goes", () => {
  const of = (uri: string) => [hostOf(uri), isOnThisMachine(uri)];
  assertEquals(of("https://app.example:8443/cb"), ["app.example:8443", false]);
  assertEquals(of("http://127.0.0.1:49152/cb"), ["127.0.0.1:49152", true]);
  assertEquals(of("cursor://a/cb"), ["cursor:", true]);
});
