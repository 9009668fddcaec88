import { assertEquals, assertRejects } from "@std/assert";
import { SluiceError } from "../../base/errors.ts";
import type { HttpRequest } from "../http_client/http_client.ts";
import { type AwsKeys, SignedClient } from "./aws_signature.ts";

const KEYS: AwsKeys = {
  ...{ accessKeyId: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" },
  ...{ sessionToken: null, region: "us-east-1", service: "service" },
};

/** @returns the headers that the upstream gets */
async function signed(keys: AwsKeys, at: string, request: Partial<HttpRequest> & { readonly url: URL }) {
  let sent: HttpRequest | undefined;
  const below = {
    send: (each: HttpRequest) => {
      sent = each;
      return Promise.resolve({} as never);
    },
    close: () => {},
  };
  const { origin } = request.url;
  const own = origin === "https://other.example" ? "https://example.amazonaws.com" : origin;
  const client = new SignedClient(below, own, keys, () => Date.parse(at));
  await client.send({ method: "GET", headers: [], upstream: "u", ...request });
  return sent!.headers;
}

Deno.test("SignedClient signs as AWS's test suite and botocore do", async () => {
  const url = new URL("https://example.amazonaws.com/");
  // "get-vanilla" of the AWS Signature Version 4 test suite.
  assertEquals(await signed(KEYS, "2015-08-30T12:36:00Z", { url }), [
    [
      "authorization",
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, " +
      "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    ],
    ["x-amz-date", "20150830T123600Z"],
  ]);
  // What botocore 1.44.8 makes of the same request.
  const keys = { ...KEYS, sessionToken: "TOKEN/with+signs==", service: "bedrock-agentcore" };
  const path = "/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A1%3Aruntime%2Fmy_agent/invocations";
  const headers = await signed(keys, "2026-11-30T09:00:00Z", {
    method: "POST",
    url: new URL(`https://example.amazonaws.com${path}?qualifier=DEFAULT&a=b%20c`),
    headers: [
      ["content-type", "application/json"],
      ["authorization", "Bearer of a caller"],
      ["mcp-session-id", "abc"],
      ["x-amz-security-token", "of a caller"],
      ["mcp-protocol-version", "2025-11-25"],
    ],
    body: '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"ä":"€"}}',
  });
  assertEquals(headers, [
    ["content-type", "application/json"],
    ["mcp-session-id", "abc"],
    ["mcp-protocol-version", "2025-11-25"],
    [
      "authorization",
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261130/us-east-1/bedrock-agentcore/aws4_request, " +
      "SignedHeaders=host;mcp-protocol-version;mcp-session-id;x-amz-date;x-amz-security-token, " +
      "Signature=226a4ce754fc8be19c0775eec7cf8c02b0f0940339e388d9ee2c10ca621c7cb0",
    ],
    ["x-amz-date", "20261130T090000Z"],
    ["x-amz-security-token", "TOKEN/with+signs=="],
  ]);
});

Deno.test("SignedClient signs nothing for another origin", async () => {
  assertEquals(await signed(KEYS, "2015-08-30T12:36:00Z", { url: new URL("https://other.example/") }), []);
});

Deno.test("SignedClient signs the body for s3 too, and sends its hash, never a caller's", async () => {
  const url = new URL("https://examplebucket.s3.amazonaws.com/?lifecycle");
  const keys = {
    ...{ ...KEYS, accessKeyId: "AKIAIOSFODNN7EXAMPLE", service: "s3" },
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  };
  const headers = [["x-amz-content-sha256", "of a caller"]] as const;
  const hashOfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  // "GET Bucket Lifecycle" of the Amazon S3 API Reference, "Signature Calculations for the Authorization Header".
  assertEquals(await signed(keys, "2013-05-24T00:00:00Z", { url, headers }), [
    [
      "authorization",
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, " +
      "SignedHeaders=host;x-amz-content-sha256;x-amz-date, " +
      "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ],
    ["x-amz-date", "20130524T000000Z"],
    ["x-amz-content-sha256", hashOfNothing],
  ]);
  const hashes = async (service: string, body: string) =>
    (await signed({ ...keys, service }, "2013-05-24T00:00:00Z", { method: "POST", url, headers, body }))
      .filter(([name]) => name === "x-amz-content-sha256");
  assertEquals(await hashes("s3", "abc"), [
    ["x-amz-content-sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  ]);
  assertEquals(await hashes("service", "abc"), []);
});

Deno.test("SignedClient names keys that no header can carry, and does not show them", async () => {
  const url = new URL("https://example.amazonaws.com/");
  for (const wrong of [{ accessKeyId: "AKID/x" }, { accessKeyId: "ключ" }, { sessionToken: "hush ключ" }]) {
    const { code, message } = await assertRejects(
      () => signed({ ...KEYS, ...wrong }, "2015-08-30T12:36:00Z", { url }),
      SluiceError,
    );
    assertEquals([code, /hush|AKID|ключ/.test(message)], ["UPSTREAM_LOGIN_FAILED", false]);
  }
});
