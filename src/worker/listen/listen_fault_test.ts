import { assertMatch } from "@std/assert";
import { listenFault } from "./listen_fault.ts";

Deno.test("listenFault() says why an address cannot be listened on, and what to do", () => {
  const { AddrInUse, PermissionDenied, AddrNotAvailable } = Deno.errors;
  const rows: [error: unknown, words: RegExp][] = [
    [new AddrInUse("Address already in use (os error 98)"), /another program listens there\. .*PORT/],
    [
      new PermissionDenied("Permission denied (os error 13)"),
      /privileged programs .* port 80\. Choose a higher PORT/,
    ],
    [new AddrNotAvailable("Cannot assign requested address"), /does not have the address gw\. Set HOST/],
    [
      new Error("failed to lookup address information: Name or service not known"),
      /gw cannot be resolved\. Set HOST/,
    ],
    [new Error("something else"), /^something else$/],
  ];
  for (const [error, words] of rows) assertMatch(listenFault(error, { hostname: "gw", port: 80 }), words);
});
