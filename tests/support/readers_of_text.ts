// Everything that reads another text of a caller or an upstream than a message: heads, headers, streams, names, URIs, ids, log text,
// fields of the REST API. As the test of its time calls it.
import type { Writable } from "node:stream";
// @ts-types="npm:@types/ws@8.18.2"
import WebSocket from "ws";
import { createAdminApi } from "../../src/admin/router.ts";
import { readFields, withWarnings } from "../../src/admin/rest/fields.ts";
import { validated } from "../../src/admin/rest/faults.ts";
import { listed, readListQuery, selected } from "../../src/admin/rest/paging.ts";
import { gatewayUpdate, serverUpdate } from "../../src/admin/rest/schemas.ts";
import { jti, tokenRevoke } from "../../src/admin/rest/people/token_schemas.ts";
import { NO_TOKEN_CHANGES } from "../../src/auth/token_changes.ts";
import { shownUrl, unmaskedUrl } from "../../src/admin/rest/shown_url.ts";
import { requestedMembers } from "../../src/admin/servers/server_members.ts";
import { ANONYMOUS, Authenticator } from "../../src/auth/authenticate.ts";
import { NOBODY } from "../../src/auth/people.ts";
import { JwtVerifier, ownIssuer } from "../../src/auth/jwt.ts";
import { keysOfSecret } from "../../src/auth/keys/own_keys.ts";
import { ClientMemory } from "../../src/base/sharing/client_memory.ts";
import { EgressGuard } from "../../src/base/egress/egress_guard.ts";
import { parseAddress, parseNetwork } from "../../src/base/egress/egress_guard_address.ts";
import { SluiceError } from "../../src/base/errors.ts";
import { tagId } from "../../src/store/registry/tag_id.ts";
import { createNaming, slugify } from "../../src/catalog/snapshot/tool_name.ts";
import { nameMembers } from "../../src/catalog/snapshot/scope_names.ts";
import { newSearch, uriConflicts } from "../../src/catalog/snapshot/uri_conflicts.ts";
import { compileUriTemplate } from "../../src/catalog/snapshot/uri_template.ts";
import { LineWriter, readLines } from "../../src/cli/stdio/lines.ts";
import { parseJsonc } from "../../src/client_config/jsonc.ts";
import { entryReferences, isFaulty, readServerList } from "../../src/client_config/server_entries.ts";
import { expand, referencesIn } from "../../src/client_config/variables.ts";
import { decodeEnd } from "../../src/cluster/envelope.ts";
import { ReplicaSignatures } from "../../src/cluster/request_signature.ts";
import { EventLog } from "../../src/downstream/exchange/event_log.ts";
import { serverAt } from "../../src/downstream/exchange/visible_scope.ts";
import { SessionIds } from "../../src/downstream/session/session_id.ts";
import { readText } from "../../src/http/body.ts";
import { codingFor } from "../../src/http/representation/accepted.ts";
import { conditionalResponse } from "../../src/http/representation/conditional.ts";
import { pathOf } from "../../src/http/request_path.ts";
import { OriginGuard } from "../../src/http/origin_guard.ts";
import { tierOf } from "../../src/http/limits/rate_tiers.ts";
import { headerText, textOfHeader } from "../../src/mcp/header_text.ts";
import { encodeSseEvent, SseDecoder } from "../../src/mcp/sse.ts";
import { ListCursors } from "../../src/proxy/call/list_cursor.ts";
import { TaskIds } from "../../src/proxy/tasks/task_ids.ts";
import { correlationIdFrom, noteResource } from "../../src/telemetry/call_note.ts";
import { lineOf, redact } from "../../src/telemetry/log.ts";
import { Passthrough } from "../../src/upstream/client/passthrough.ts";
import { ChunkedBody } from "../../src/upstream/http1/body_reader.ts";
import { kindOf, seenAnswer } from "../../src/upstream/http_client/answer_words.ts";
import { encodeHead } from "../../src/upstream/http1/request_head.ts";
import { HeadScanner, parseResponseHead } from "../../src/upstream/http1/response_head.ts";
import { launchUrl, readLaunch } from "../../src/upstream/stdio/launch.ts";
import { LineReader } from "../../src/upstream/stdio/line_reader.ts";
import { withoutSecretsOf } from "../../src/upstream/transport/without_secrets.ts";
import { gatewayRow, resourceRow, toolRow } from "./catalog_rows.ts";
import type { Family, Reader } from "./foreign_text.ts";

/** The parser of frames, which the package does not declare. */
const { Receiver } = WebSocket as unknown as { Receiver: new (options: object) => Writable };

const KIB = 1_024;
const BODY = 128 * KIB;
const HEADER = 64 * KIB;
const encoder = new TextEncoder();

function text(max: number, slow: readonly Family[], read: (text: string) => unknown): Reader {
  return { max, slow, read };
}

function of(...pieces: string[]): Family[] {
  return pieces.map((piece) => ["", piece, "x"]);
}

/** A value that a header can carry. */
function headers(name: string, value: string): Headers {
  return new Headers([[name, value.replace(/[^\t -~]/g, "?")]]);
}

function bytesOf(value: string, size = Infinity): Uint8Array[] {
  const bytes = encoder.encode(value);
  if (size === Infinity) return [bytes];
  return Array.from(
    { length: Math.ceil(bytes.length / size) },
    (_, i) => bytes.slice(i * size, (i + 1) * size),
  );
}

/** Parses a head that arrives in pieces of `size` bytes. */
function head(fields: string, size = Infinity) {
  const bytes = encoder.encode(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n`);
  const scanner = new HeadScanner();
  let length = -1;
  for (let end = 0; length < 0 && end < bytes.length;) {
    end = Math.min(bytes.length, end + size);
    length = scanner.scan(bytes, 0, end);
  }
  return parseResponseHead(bytes, 0, length);
}

async function ignored(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of stream);
}

const GUARD = new EgressGuard({
  ssrfProtectionEnabled: true,
  ssrfAllowLocalhost: false,
  ssrfAllowPrivateNetworks: false,
  ssrfAllowedNetworks: [],
  ssrfBlockedNetworks: [],
  ssrfBlockedHosts: ["blocked.example"],
  ssrfDnsFailClosed: true,
});
const ISSUER_NAMES = {
  issuer: "mcpgateway",
  audience: "mcpgateway-api",
  platformAdminEmail: "root@example.com",
  environment: null,
};
const VERIFIER = new JwtVerifier(
  ownIssuer(keysOfSecret("HS256", "a-secret-of-more-than-thirty-two-bytes"), ISSUER_NAMES),
  { requireExpiration: true, requireJti: false },
);
const OWNER = {
  issuer: null,
  subject: "ann",
  serverId: null,
  isSessionless: false,
  reach: "",
  user: "u@x.example",
};
const NAMING = createNaming({ separator: "-", maxLength: 64 });
const API = createAdminApi({} as never);
const LONG = "n".repeat(60);
const fourDigits = (i: number) => i.toString(36).padStart(4, "0");

/** A reader of as many entries as its text has characters. */
function entries(max: number, read: (count: number) => unknown): Reader {
  return { max, frame: ["", ""], pieces: ["x"], slow: [["", "x", ""]], read: ({ length }) => read(length) };
}

function many<Row>(count: number, row: (i: number) => Row): Row[] {
  return Array.from({ length: count }, (_, i) => row(i));
}

export const READERS_OF_TEXT: Readonly<Record<string, Reader>> = {
  "parseJsonc() of an import": {
    ...text(
      BODY,
      [
        ...of("/*", "// a\n", "[", '{"a":', '"', ",", '\\"'),
        ['{"mcpServers":{', (i) => `"s${i}":{"command":"x"},`, "}}"],
        ['{"mcpServers":{"a":{"command":"x","args":[', '"${a}",', "]}}}"],
      ],
      (value) => {
        for (const entry of readServerList(parseJsonc(value)).entries) {
          if (!isFaulty(entry)) entryReferences(entry);
        }
      },
    ),
    frame: ['{"mcpServers":{"a":{"command":"', '"}}}'],
  },
  "expand() of an import": text(
    BODY,
    of("${", "${a", "${a:-", "${env:", ":-", "${input:a}", "${a:-b}"),
    (value) => [expand(value, () => undefined, () => {}), referencesIn(value)],
  ),
  "SseDecoder.push()": text(
    BODY,
    of("\r", "\n", "data:\r", "data: x\n", ":", "id: a\n\n"),
    (value) => new SseDecoder(BODY * 2).push(encoder.encode(value)),
  ),
  "SseDecoder.push() of small pieces": text(HEADER, [["data: ", "x", "\n\n"], ["", "\r", ""], [
    "data: ",
    "é",
    "\n\n",
  ]], (value) => {
    const decoder = new SseDecoder(BODY);
    for (const piece of bytesOf(value, 3)) decoder.push(piece);
  }),
  "encodeSseEvent()": text(
    BODY,
    of("\r", "\n", "\r\n"),
    (value) => encodeSseEvent(value, { event: "message" }),
  ),
  "LineReader.push()": text(BODY, of("\n", "\r\n", "x"), (value) => {
    const lines = new LineReader({ maxBytes: BODY * 2 });
    lines.push(encoder.encode(value));
    lines.end();
  }),
  "LineReader.push() of small pieces": text(HEADER, of("x", "\r", "x\n"), (value) => {
    for (const max of [KIB, BODY]) {
      const lines = new LineReader({ maxBytes: max });
      for (const piece of bytesOf(value, 3)) lines.push(piece);
      lines.end();
    }
  }),
  "readLines()": text(
    BODY,
    of("\n", " ", "x", "x\n"),
    (value) => ignored(readLines(ReadableStream.from(bytesOf(value, 4 * KIB)), BODY)),
  ),
  "LineWriter.send()": entries(128 * KIB, async (count) => {
    const gate = Promise.withResolvers<void>();
    const writer = new LineWriter({ write: (bytes) => gate.promise.then(() => bytes.length) }, () => {});
    // A client that does not read leaves many messages.
    for (let i = 0; i < count; i++) writer.send("\r\n");
    gate.resolve();
    await writer.flush();
  }),
  "parseResponseHead()": text(HEADER, [
    ["connection: a", " ", "b"],
    ["connection: ", ",", "close"],
    ["connection: ", "keep-alive , ", "x"],
    ["", "connection: a, b\r\n", "a: b"],
    ["keep-alive: ", "timeout=", "x"],
    ["a: ", "é", ""],
  ], (value) => head(value)),
  "HeadScanner.scan() of small pieces": text(
    HEADER,
    [["a: ", "x", ""], ["a: ", "b\r\na: ", ""]],
    (value) => head(value, 1),
  ),
  "ResponseHead.header()": text(
    HEADER,
    [["", "a: b\r\n", "a: c"], ["a: ", "\t", "b"]],
    (value) => head(value).header("a"),
  ),
  "ChunkedBody.take()": text(BODY, [["", "1\r\nx\r\n", "0\r\n\r\n"], ["1", ";", "\r\nx"], [
    "0\r\n",
    "a: b\r\n",
    "\r\n",
  ]], (value) => {
    const bytes = encoder.encode(value);
    const window = { bytes, start: 0, end: bytes.length };
    for (const body = new ChunkedBody(); body.take(window) !== null;);
  }),
  "encodeHead()": text(
    HEADER,
    of("a", "\t", "é"),
    (value) =>
      encodeHead({ requestTarget: "/", host: "h", proxyAuthorization: null }, "POST", [["a", value]]),
  ),
  "WebSocket.Receiver": text(HEADER, of("x", "é"), async (value) => {
    const receiver = new Receiver(
      { maxPayload: BODY, isServer: false, skipUTF8Validation: false } as never,
    );
    // One message in fragments of one byte.
    const bytes = encoder.encode(value);
    for (const [i, byte] of bytes.entries()) {
      receiver.write(Uint8Array.of((i === bytes.length - 1 ? 0x80 : 0) | (i === 0 ? 1 : 0), 1, byte));
    }
    await new Promise((resolve) => receiver.end(resolve));
  }),
  "readText()": text(BODY, of("x", "é"), (value) => {
    const body = ReadableStream.from(bytesOf(value, 16));
    return readText(
      new Request("http://a", { method: "POST", body, headers: headers("content-type", "application/json") }),
      BODY,
    );
  }),
  "Content-Type of a body": text(
    HEADER,
    [["application/json", " ", "x"], ["application/json;", " ", "x"]],
    (value) =>
      readText(
        new Request("http://a", { method: "POST", body: "{}", headers: headers("content-type", value) }),
        BODY,
      ),
  ),
  "conditionalResponse()": text(
    HEADER,
    [['"a"', " ", '"b"'], ['"a"', "\t", '"b"'], ["", " , ", "x"], ['W/"', "a", '"'], ["*", " ", "*"]],
    (value) =>
      conditionalResponse(new Request("http://a", { headers: headers("if-none-match", value) }), {
        bytes: new Uint8Array(),
        coding: null,
        etag: '"e"',
      }, {}),
  ),
  "codingFor()": text(
    HEADER,
    [["gzip", ",", "x"], ["gzip", ";", "q=1"], ["", " ", ";q=1"]],
    (value) => codingFor(headers("accept-encoding", value)),
  ),
  "Authenticator.authenticate()": text(
    HEADER,
    [["Bearer", " ", "x y"], ["Bearer ", "a", " b"]],
    (value) =>
      new Authenticator({
        authRequired: false,
        clock: { now: () => 0, setTimeout: () => 0, clearTimeout: () => {} },
        revoked: () => new Set(),
        people: () => NOBODY,
        tokenChanges: () => NO_TOKEN_CHANGES,
        verify: () => Promise.resolve(ANONYMOUS),
      }).authenticate(value),
  ),
  "JwtVerifier.verify()": text(
    8 * KIB,
    [["eyJhbGciOiJIUzI1NiJ9.", "e", ".x"], ["", ".", ""]],
    (value) => VERIFIER.verify(value),
  ),
  "OriginGuard.check()": text(
    HEADER,
    [["http://", "localhost", ""], ["http://[::1]:", "1", "x"]],
    (value) =>
      new OriginGuard({ allowedOrigins: [], allowedHosts: ["a"], listensOn: "0.0.0.0" }).check({
        url: "http://a",
        headers: headers("origin", value),
      }),
  ),
  "Host header": text(
    HEADER,
    of(":", "]", "."),
    (value) =>
      new OriginGuard({ allowedOrigins: [], allowedHosts: ["a"], listensOn: "0.0.0.0" }).check({
        url: "http://a",
        headers: headers("host", value),
      }),
  ),
  "pathOf(), tierOf(), serverAt()": text(HEADER, [["http://a/", "/", "?"], [
    "http://a/servers/",
    "a",
    "/mcp",
  ]], (value) => {
    const path = pathOf(value);
    serverAt(path, "mcp");
    return tierOf({ speaks: "rest" }, path);
  }),
  "correlationIdFrom()": text(HEADER, of("é", "a"), correlationIdFrom),
  "headerText()": text(HEADER, [["", " ", "x"], ["a", "\t", "é"]], headerText),
  "textOfHeader()": text(HEADER, [["=?base64?", "?=", "?"], ["=?base64?", "YQ==", "?="]], textOfHeader),
  "Passthrough.select()": text(
    HEADER,
    of("\r", " ", "\0"),
    (value) =>
      new Passthrough({ enabled: true, defaultNames: ["a"], sensitive: false, overwrite: false }, null, [])
        .select({ received: { get: () => value }, token: null }),
  ),
  "ReplicaSignatures.voucherIn()": text(
    HEADER,
    of("a"),
    (value) => new ReplicaSignatures("secret").voucherIn(headers("x-sluice-signature", value), 0),
  ),
  "decodeEnd()": text(BODY, of("a", "\n"), (value) => decodeEnd(value, { note: undefined })),
  "SessionIds.open()": text(HEADER, of("a", "7"), (value) => new SessionIds("secret").open(value, 0)),
  "EventLog.find()": text(
    HEADER,
    [["0-0-", "a", ""], ["", "0", "-0-a"]],
    (value) => new EventLog(new ClientMemory(Infinity), { issuer: null, subject: "ann" }).find(value),
  ),
  "LoggedStream.send()": entries(20_000, (count) => {
    // Each call of a session has a stream, which stays for a while.
    const log = new EventLog(new ClientMemory(Infinity), { issuer: null, subject: "ann" });
    for (let i = 0; i < count; i++) log.open().send("x");
  }),
  "ListCursors.open()": text(
    HEADER,
    of("A", "_"),
    (value) => new ListCursors("secret").open({ method: "tools/list", serverId: null }, value),
  ),
  "TaskIds.open()": text(BODY, of("A", " "), (value) => new TaskIds("secret").open(OWNER, value)),
  "slugify()": text(HEADER, [["a", "\u0301\u0327\u0345", ""], ["", "\u0327\u0301", ""], ["", "a'", ""], [
    "",
    "-",
    "a",
  ], ["", "\uff9e\u0327", ""]], slugify),
  "tagId()": text(HEADER, of("a", " ", "_", "\u0130"), tagId),
  "createNaming()": entries(10_000, (count) =>
    NAMING(
      "gw",
      // Two tools of each name. All names have 64 characters, of which the first 60 are the same.
      many(
        count,
        (i) => ({ originalName: `t${i}`, customName: LONG.slice(3) + fourDigits(i >> 1), currentName: null }),
      ),
    )),
  "nameMembers()": entries(10_000, (count) => {
    // Half of the tools have one name. The names that they get instead are those of the other half.
    const tools = many(count, (i) => {
      const name = LONG + fourDigits(i >> 1);
      return i & 1
        ? { id: `${i}`, name, originalName: "same" }
        : { id: `${i}`, name: `t${i}`, originalName: name };
    });
    return nameMembers({ naming: "original", toolOverrides: {} }, { tools, prompts: [] });
  }),
  "compileUriTemplate()": text(
    2 * KIB,
    of("{", "}", "{a}", "{+a}b"),
    (value) => compileUriTemplate(value).matches(value),
  ),
  "UriTemplate.matches()": text(
    HEADER,
    [["x://", "y", ""], ["x://", "/", ""], ["x://", "yx", ""]],
    (value) => compileUriTemplate(`x://{+a}${"y".repeat(500)}x{b}{/c}y`).matches(value),
  ),
  "uriConflicts()": entries(5_000, (count) => {
    const gateways = [gatewayRow("g0"), gatewayRow("g1")] as const;
    const members = many(
      count,
      (i) => ({ row: resourceRow(`g${i & 1}`, `x://a{+k}${i}`), gateway: gateways[i & 1]! }),
    );
    return uriConflicts(members, newSearch());
  }),
  "EgressGuard.checkUrl()": text(HEADER, [["http://a", ".", "b/"], ["http://", "a.", "/"], [
    "http://a/",
    "%2e",
    "",
  ], ["http://", "xn--", "/"]], (value) => GUARD.checkUrl(value, null)),
  "parseAddress(), parseNetwork()": text(
    HEADER,
    of(":", "::", ".", "%", "0:", "["),
    (value) => [parseAddress(value), parseNetwork(value)],
  ),
  "withoutSecretsOf()": text(
    BODY,
    of("secret-of-the-url", "secr", "*"),
    (value) => withoutSecretsOf(new URL("http://a/?k=secret-of-the-url&l=****"), [], value),
  ),
  "withoutSecretsOf() of headers": text(
    HEADER,
    [["a", " ", "b c"], ["", "a", " b c"], ["basic ", "YQ==", ""]],
    (value) => withoutSecretsOf(new URL("http://a"), [["authorization", value]], "words"),
  ),
  "seenAnswer(), kindOf()": text(
    HEADER,
    [["", "<", ""], ["", "<script", ""], ["", " ", "x"], ["", "/", "x"], ["", "\u202e", ""]],
    (value) => {
      const response = { status: 500, header: () => value } as never;
      kindOf(response, value);
      return seenAnswer(response, value, { url: new URL("http://a"), headers: [] });
    },
  ),
  "shownUrl(), unmaskedUrl()": text(
    2 * KIB,
    [["http://a/?", "&", ""], ["http://a/?", "a=*****&", ""]],
    (value) => {
      shownUrl(value, { isAdmin: true });
      return unmaskedUrl(value, value);
    },
  ),
  "launchUrl(), readLaunch()": text(
    8 * KIB,
    of("%", "é", " "),
    (value) => readLaunch(launchUrl({ command: value, args: [value], cwd: value })),
  ),
  "noteResource()": text(
    BODY,
    [["a", "://", "b"], ["a://", "b@", ""], ["a", "?", "b"], ["", "\n", "?"]],
    (value) => noteResource({ correlationId: "" }, value),
  ),
  "redact()": text(
    BODY,
    of("a://", "a://b@", "a.", "://", "a://b?c "),
    (value) => redact({ message: value }),
  ),
  "lineOf()": text(
    BODY,
    of("\u0085", "\u202e", '"', "\x1b", "é"),
    (value) => lineOf("json", { event: value }) + lineOf("text", { event: "e", value }),
  ),
  "new SluiceError()": text(
    BODY,
    of("{name}", "{"),
    (value) => new SluiceError("TOOL_NOT_FOUND", { name: value }).message,
  ),
  "AdminApi.match()": text(HEADER, of("/", "/v1", "%"), (value) => API.match(`/${value}`)),
  "readListQuery(), selected()": text(
    HEADER,
    [["", "a,", ""], ["", ",", ""], ["", (i) => `t${i},`, ""]],
    (value) => {
      const query = readListQuery({ query: new URLSearchParams({ tags: value }) } as never);
      const rows = many(value.length / 64, (i) => ({ ...toolRow("g", `t${i}`), tags: ["a", "b"] }));
      return selected(rows, ANONYMOUS, query);
    },
  ),
  "listed()": text(HEADER, of("A", "=", "W"), (value) => {
    const rows = [toolRow("g", "t")];
    const list = listed("tools", () => Promise.resolve({ rows, show: (page) => [...page] }));
    return list({ query: new URLSearchParams({ cursor: value }) } as never);
  }),
  "readFields(), withWarnings()": text(BODY, [["{", (i) => `"tagz${i % 10}_${i}":1,`, '"z":0}']], (value) => {
    const extra: never[] = [];
    readFields({ extra }, JSON.parse(value), ["body"], { schema: serverUpdate });
    return withWarnings({}, extra);
  }),
  "validated() of a gateway": text(
    BODY,
    [["{", (i) => `"k${i}":1,`, '"tags":0}'], ['{"tags":[', "{},", "0]}"], [
      '{"auth_headers":[',
      '{"key":" "},',
      "0]}",
    ]],
    (value) => validated(gatewayUpdate, JSON.parse(value), ["body"]),
  ),
  "validated() of texts": text(HEADER, [["", " ", "x"], ["http://", "a.", ""], [
    "2026-01-01T00:00:00.",
    "0",
    "x",
  ], ["", "\0", ""]], (value) => {
    for (const field of ["url", "name", "transport", "ca_certificate", "auth_header_key"]) {
      gatewayUpdate.safeParse({ [field]: value });
    }
    jti.safeParse(value);
    serverUpdate.safeParse({ server_info: { websiteUrl: value }, associated_tools: value });
    tokenRevoke.safeParse({ expires_at: value });
  }),
  "requestedMembers()": entries(20_000, (count) => {
    // Resources of one name, as an upstream may list them.
    const rows = many(count, (i) => resourceRow("g", `x://${i}`, { name: "same" }));
    const resources = { list: () => Promise.resolve(rows) };
    const call = {
      deps: { store: { tools: resources, resources, prompts: resources } },
      principal: ANONYMOUS,
    };
    return requestedMembers(call as never, { associated_resources: ["same"] }, ["body"]);
  }),
};
