// What cannot pass through the gateway, lane by lane, with the sentence that says so.
//
// A lane is a revision of the client and the revisions that the upstream speaks. What is missing here has to pass.
import type { ExpectedFailure } from "./expected_counts.ts";
import type { Revision } from "./suite.ts";
import type { UpstreamRevisions } from "./upstream_process.ts";

/**
 * Lists come from the gateway's own catalogue, with nothing to stream. The check passes with JSON_RESPONSE_ENABLED=false, which costs
 * every client more. The suite itself says of JSON: "SSE streaming is optional", and fails nothing.
 */
const LISTS_ARE_JSON: ExpectedFailure = {
  scenario: "server-sse-multiple-streams",
  passed: 1,
  checks: [],
  because:
    "The suite counts one more check where tools/list is answered as an event stream. 2025-11-25, transports, " +
    '"Sending Messages to the Server": "the server MUST either return Content-Type: text/event-stream, to initiate an SSE ' +
    'stream, or Content-Type: application/json, to return one JSON object".',
};

/** An upstream of 2026-07-28 answers the call at once. */
const NOTHING_TO_RESUME: ExpectedFailure = {
  scenario: "server-sse-polling",
  passed: 0,
  checks: [],
  because:
    "The upstream answers test_reconnection with one JSON object, and so does the gateway. 2026-07-28, " +
    'streamable HTTP: "Resumable SSE streams via Last-Event-ID are not supported."',
};

/** The call goes on at the gateway while its client is asked. */
const KEYS_ARE_OURS: ExpectedFailure = {
  scenario: "input-required-result-basic-elicitation",
  passed: 1,
  checks: ["sep-2322-elicitation-incomplete"],
  because:
    "The suite wants the upstream's key user_name, which a request of 2025-11-25 does not carry, and which is not the client's " +
    "where the call waits for it beside the process that asks. 2026-07-28, multi round-trip requests: " +
    '"inputRequests keys are server assigned identifiers", and the gateway is the server that assigns them.',
};

/** Lists come from a process of the gateway's own, and a list that changes in a caller's process is that process's alone. */
const PROCESSES_LIST_ALIKE: ExpectedFailure = {
  scenario: "server-stateless",
  passed: 28,
  checks: [
    "sep-2575-server-sends-prompts-list-changed-on-subscription",
    "sep-2575-server-sends-tools-list-changed-on-subscription",
  ],
  because:
    "The suite changes a list in the process of its own calls, and asks for a notification that servers SHOULD send. 2026-07-28, tools: " +
    "a list does not vary per connection, so a change in one of several processes is not one of the list.",
};

/** What the wire with sessions has no room for. */
const SESSIONLESS_CLIENT_OF_SESSION_UPSTREAM: readonly ExpectedFailure[] = [
  {
    scenario: "server-stateless",
    passed: 28,
    checks: ["sep-2575-missing-capability-http-400", "sep-2575-server-rejects-undeclared-capability"],
    because:
      "An upstream with sessions that lacks a capability of its client answers with a tool's error and cannot say " +
      'which one it lacks. 2025-11-25, lifecycle, "Operation": both parties MUST "Only use capabilities that were ' +
      'successfully negotiated"; -32021 is an error of 2026-07-28 alone.',
  },
  KEYS_ARE_OURS,
];

/** Before an upstream that speaks all revisions, the gateway answers clients of 2025-11-25 in event streams. Then nothing is missing. */
export const IN_STREAMS: UpstreamRevisions = "both";

/** @param upstream what it speaks; `process`: of 2026-07-28 alone, over stdio */
export function expectedFailures(
  revision: Revision,
  upstream: UpstreamRevisions | "process",
): readonly ExpectedFailure[] {
  if (revision === "2025-11-25") {
    if (upstream === IN_STREAMS) return [];
    return upstream === "sessions" ? [LISTS_ARE_JSON] : [LISTS_ARE_JSON, NOTHING_TO_RESUME];
  }
  if (upstream === "process") return [KEYS_ARE_OURS, PROCESSES_LIST_ALIKE];
  return upstream === "sessions" ? SESSIONLESS_CLIENT_OF_SESSION_UPSTREAM : [];
}

/**
 * Scenarios of extensions for logins at upstreams that the gateway does not offer. 2026-07-28, basic/authorization, "MCP Authorization
 * Extensions": "Optional - Implementations can choose to adopt these extensions".
 */
export const OPTIONAL_EXTENSIONS: Readonly<Record<string, string>> = {
  "auth/dpop": "Access tokens are bearer tokens. Every MCP server of the core takes those.",
  "auth/dpop-nonce": "As auth/dpop.",
  "auth/enterprise-managed-authorization":
    "A caller's token is exchanged at one server, and not at two of them.",
  "auth/wif-jwt-bearer": "The gateway logs in as itself with a secret or a private key.",
};
