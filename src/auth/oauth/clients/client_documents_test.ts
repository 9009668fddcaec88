import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { FakeClock } from "../../../../tests/support/fake_clock.ts";
import { OAuthFault } from "../oauth_fault.ts";
import { ClientDocuments, isDocumentId } from "./client_documents.ts";

const ID = "https://app.example/client.json";
const DOCUMENT = { client_id: ID, client_name: "App", redirect_uris: ["https://app.example/cb"] };

function setUp(answer: () => { status: number; text: string }) {
  const clock = new FakeClock();
  const reads: string[] = [];
  const outcomes: string[] = [];
  const documents = new ClientDocuments({
    clock,
    read: ({ href }) => {
      reads.push(href);
      return Promise.resolve().then(answer);
    },
    count: (outcome) => outcomes.push(outcome),
  });
  return { clock, reads, outcomes, documents };
}

Deno.test("isDocumentId() takes an https address that can be written in one way only", () => {
  assertEquals(isDocumentId(ID), true);
  assertEquals(isDocumentId("https://app.example:8443/a/b"), true);
  for (
    const id of [
      ...[
        "http://app.example/client.json",
        "https://app.example",
        "https://app.example/",
        "https://app.example/#",
        "x",
      ],
      ...[
        "https://app.example/a#b",
        "https://app.example/a?b",
        "https://u@app.example/a",
        "https://app.example/a/../b",
      ],
      ...[
        "https://APP.example/a",
        "https://app.example:443/a",
        "HTTPS://app.example/a",
        `https://a.example/${"a".repeat(500)}`,
      ],
    ]
  ) assertEquals(isDocumentId(id), false, id);
});

Deno.test("ClientDocuments reads a document once for ten minutes, and tells whose it is", async () => {
  const { clock, reads, outcomes, documents } = setUp(() => ({
    status: 200,
    text: JSON.stringify(DOCUMENT),
  }));
  const [client, same] = await Promise.all([documents.read(ID), documents.read(ID)]);
  assertEquals([client.name, client.host, client.id, same === client], ["App", "app.example", ID, true]);
  await clock.tick(599_000);
  await documents.read(ID);
  assertEquals([reads.length, outcomes], [1, ["success"]]);
  await clock.tick(2_000);
  await documents.read(ID);
  assertEquals(reads, [ID, ID]);
});

Deno.test("ClientDocuments refuses a document that is not the client's own, and does not ask again at once", async () => {
  const cases: [string, unknown, number?][] = [
    ["HTTP 404", DOCUMENT, 404],
    ["HTTP 302", DOCUMENT, 302],
    ["not JSON", "<html>"],
    ["must be a JSON object", [DOCUMENT]],
    ["not its address", { ...DOCUMENT, client_id: "https://other.example/client.json" }],
    ["not its address", { ...DOCUMENT, client_id: undefined }],
    ["client_secret", { ...DOCUMENT, client_secret: "s" }],
    ["only none", { ...DOCUMENT, token_endpoint_auth_method: "client_secret_post" }],
    ["redirect_uris", { ...DOCUMENT, redirect_uris: [] }],
    ["larger", { ...DOCUMENT, x: "x".repeat(20_000) }],
  ];
  for (const [reason, document, status = 200] of cases) {
    const text = typeof document === "string" ? document : JSON.stringify(document);
    const { clock, reads, documents } = setUp(() => ({ status, text }));
    const fault = await assertRejects(() => documents.read(ID), OAuthFault);
    assertStringIncludes(fault.message, reason);
    assertEquals(fault.code, "invalid_client");
    await assertRejects(() => documents.read(ID), OAuthFault);
    assertEquals(reads.length, 1);
    await clock.tick(11_000);
    await assertRejects(() => documents.read(ID), OAuthFault);
    assertEquals(reads.length, 2);
  }
});
