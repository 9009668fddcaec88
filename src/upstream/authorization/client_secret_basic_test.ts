import { assertEquals } from "@std/assert";
import { clientSecretBasic } from "./client_secret_basic.ts";

Deno.test("clientSecretBasic() encodes as a form does, and leaves what a form leaves", () => {
  const headerOf = (client_id: string, secret: string) => {
    const headers = new Headers();
    clientSecretBasic(secret)({ issuer: "x" }, { client_id }, new URLSearchParams(), headers);
    return atob(headers.get("authorization")!.slice("Basic ".length));
  };
  assertEquals(headerOf("my-client_1.a", "a-b_c.d"), "my-client_1.a:a-b_c.d");
  assertEquals(headerOf("a:b", "c d+e%ü"), "a%3Ab:c+d%2Be%25%C3%BC");
});
