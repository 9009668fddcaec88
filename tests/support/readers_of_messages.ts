// Everything that reads a message, a result or a list entry, as the test of its time calls it.
import type { Principal } from "../../src/auth/principal.ts";
import { mergeCapabilities } from "../../src/catalog/snapshot/capabilities.ts";
import { take } from "../../src/downstream/client/client_messages.ts";
import { RunningCalls } from "../../src/downstream/client/running_calls.ts";
import { ClientQuestions } from "../../src/downstream/client/client_questions.ts";
import { inputResponses, readClaims } from "../../src/downstream/sessionless/request_claims.ts";
import { readFilter } from "../../src/downstream/sessionless/listeners.ts";
import { heardBy } from "../../src/downstream/sessionless/notifications.ts";
import { ownStateIn } from "../../src/downstream/sessionless/pending_calls.ts";
import { RetriedRequest } from "../../src/downstream/sessionless/retried_request.ts";
import { claimIn, withClaims, withoutClaims } from "../../src/mcp/claims.ts";
import {
  addMember,
  classify,
  elementTexts,
  exceedsDepth,
  foldCase,
  hasLongNumber,
  idText,
  type JsonObject,
  mapMembers,
  memberText,
  memberTexts,
  parseJson,
  piecesOf,
  removeMember,
  replaceMember,
  replaceSoleMember,
  type RequestMessage,
} from "../../src/mcp/json_rpc.ts";
import { judgeEntry, type ListKind } from "../../src/mcp/list_entries.ts";
import { isCompilable } from "../../src/mcp/output_schema.ts";
import { paramAnnotations } from "../../src/mcp/param_annotations.ts";
import { metaText } from "../../src/mcp/request_meta.ts";
import { META } from "../../src/mcp/revisions.ts";
import { sessionResult } from "../../src/mcp/session_tool.ts";
import { withoutTasksExtension } from "../../src/mcp/tasks.ts";
import { completed } from "../../src/proxy/call/sessionless_result.ts";
import { asUpstreamError } from "../../src/proxy/call/upstream_error.ts";
import { clientDescription } from "../../src/proxy/methods/lifecycle.ts";
import { keepInList, renameInList, renameInMessage, renameInTask } from "../../src/proxy/tasks/task_text.ts";
import { answeredBy, edgesOf } from "../../src/upstream/duplex/overlong_response.ts";
import { ProgressTokens } from "../../src/upstream/duplex/progress_tokens.ts";
import { answerInput } from "../../src/upstream/session/input_bridge.ts";
import { FakeClock } from "./fake_clock.ts";
import { CHARACTERS, ELEMENTS, type Family, MEMBERS, type Reader } from "./foreign_text.ts";

const KIB = 1_024;
const BODY = 128 * KIB;
const NAMED: Family = ["{", (i) => `"k${i}":{},`, '"z":{}}'];
const SAME: Family = ["{", '"a":1,', '"z":0}'];
const ESCAPED: Family = ['{"a":"', "\\\\", '"}'];
const BLANK: Family = ["{", " ", '"z":0}'];

function object(read: (text: string) => unknown, slow: readonly Family[] = [SAME, NAMED, ESCAPED]): Reader {
  return { max: BODY, frame: ["{", '"z":0}'], pieces: MEMBERS, slow, read };
}

function array(read: (text: string) => unknown, slow: readonly Family[]): Reader {
  return { max: BODY, frame: ["[", "0]"], pieces: ELEMENTS, slow, read };
}

function string(before: string, after: string, read: (text: string) => unknown): Reader {
  const slow: Family[] = [[before, "\\\\", after], [before, '\\"', after]];
  return { max: BODY, frame: [before, after], pieces: CHARACTERS, slow, read };
}

/** A request with these params. */
function request(params: string, method = "tools/call"): RequestMessage {
  const text = `{"jsonrpc":"2.0","id":1,"method":"${method}","params":${params}}`;
  return classify(JSON.parse(text), text) as RequestMessage;
}

const CLAIMS = { clientCapabilities: "{}", clientInfo: '{"name":"a"}', logLevel: null };
const CLAIMED = `"${META.protocolVersion}":"2026-07-28","${META.clientCapabilities}":{}`;
const PRINCIPAL = { issuer: null, subject: "ann" } as Principal;
const upper = (text: string) => text.toUpperCase();

function entry(kind: ListKind, frame: readonly [string, string], revision: string, slow: Family[]): Reader {
  return {
    max: 128 * KIB,
    frame,
    pieces: MEMBERS,
    slow,
    read: (text) => judgeEntry(kind, text, revision),
  };
}

const TOOL = ['{"name":"t","inputSchema":{"type":"object","properties":{', '"z":{}}}}'] as const;
const STATELESS = "2026-07-28";
const pattern = (text: string) => isCompilable({ type: "object", pattern: text });

export const READERS_OF_MESSAGES: Readonly<Record<string, Reader>> = {
  "parseJson()": string('{"a":"', '"}', (text) => parseJson(text, 30)),
  "exceedsDepth()": array((text) => exceedsDepth(text, 30), [["", "[]", ""], ['["', '\\"', '"]']]),
  "classify(), idText()": object((text) => idText(request(text))),
  "memberText()": object((text) => memberText(text, "none"), [SAME, NAMED, ESCAPED, BLANK]),
  "memberTexts()": object(memberTexts),
  "replaceSoleMember()": object((text) => replaceSoleMember(text, "z", "1"), [
    ["{", '"\\u017f":1,', '"z":0}'],
    NAMED,
  ]),
  "removeMember()": object((text) => removeMember(text, "a")),
  "addMember(), replaceMember()": object((text) => replaceMember(addMember(text, "b", "1"), "z", "2")),
  "mapMembers()": object((text) => mapMembers(text, (_, value) => `[${value}]`)),
  "foldCase()": string("", "", foldCase),
  "elementTexts()": array(elementTexts, [["[", "1,", "0]"], ["[", "[],", "0]"]]),
  "piecesOf()": array((text) => piecesOf(JSON.parse(text), text), [["[", "{},", "0]"]]),
  "hasLongNumber()": object((text) => hasLongNumber(text, 4_300), [
    ["[", "1,", "0]"],
    ["[1", "1", "]"],
    SAME,
  ]),
  "withClaims()": object((text) => withClaims(`{"_meta":${text}}`, CLAIMS), [
    NAMED,
    ["{", `"${META.clientInfo}":{},`, '"z":0}'],
  ]),
  "withoutClaims()": object((text) => withoutClaims(`{"_meta":${text}}`), [NAMED, ESCAPED]),
  "claimIn(), metaText()": object((text) => {
    claimIn(`{"_meta":${text}}`, META.logLevel);
    return metaText(request(`{"_meta":${text}}`), META.clientCapabilities);
  }),
  "readClaims()": object((text) => readClaims(request(`{"_meta":{${CLAIMED}},"a":${text}}`), undefined)),
  "clientDescription()": object((text) =>
    clientDescription(request(`{"protocolVersion":"x","capabilities":${text}}`, "initialize"))
  ),
  "inputResponses()": object((text) => inputResponses(request(`{"inputResponses":${text}}`)), [NAMED]),
  "answerInput()": object((text) => {
    const result = `{"resultType":"input_required","inputRequests":${text}}`;
    const answer = { text: '{"action":"accept"}', failed: false };
    return answerInput({ text: result, result: JSON.parse(result) as JsonObject }, {
      upstream: "up",
      client: { notify: () => {}, request: () => Promise.resolve(answer) },
      clientCapabilities: '{"roots":{}}',
      signal: undefined,
      params: "{}",
      ask: () => Promise.resolve({ answer, result: {} }),
    });
  }, [["{", (i) => `"k${i}":{"method":"roots/list"},`, '"z":{"method":"roots/list"}}']]),
  "RetriedRequest.digest": object((text) => new RetriedRequest(request(text), PRINCIPAL, null).digest),
  "readFilter()": array((text) => readFilter({ notifications: { taskIds: JSON.parse(text) } }), [
    ["[", (i) => `"${i}",`, "0]"],
  ]),
  "heardBy()": object((text) =>
    heardBy(request("{}"), `{"method":"notifications/message","params":${text}}`, {
      logLevel: "info",
      isResumed: false,
    })
  ),
  "ownStateIn()": {
    max: BODY,
    slow: [["", '"requestState"', ""], ['"requestState"', " ", "x"], ['"requestState":"sluice.', "a", ""]],
    read: ownStateIn,
  },
  "ClientQuestions.answer()": object((text) => {
    const questions = new ClientQuestions(new FakeClock(), 1_000);
    const response = `{"jsonrpc":"2.0","id":"x","result":${text}}`;
    return take({ questions, calls: new RunningCalls() }, classify(JSON.parse(response), response) as never);
  }),
  "ProgressTokens": object((text) => {
    const call = request(`{"_meta":{"progressToken":1},"a":${text}}`);
    const tokens = new ProgressTokens();
    tokens.replace(call.text, 1);
    return ProgressTokens.restore(JSON.parse(call.text), call.text, "2");
  }),
  "answeredBy()": {
    max: 64 * KIB,
    slow: [['{"jsonrpc":"2.0"', " ", ""], ["{", " ", ""], ['{"id":', "1", ""], [",", " ", "}"]],
    read: (text) => answeredBy(edgesOf(text)),
  },
  "sessionResult()": object((text) => {
    const result = `{"content":[],"structuredContent":[${text}]}`;
    return sessionResult(JSON.parse(result), result, true);
  }),
  "completed()": object((text) => completed("resources/read", { text, failed: false }, "{}")),
  "completed() of a URL elicitation": array((text) =>
    completed(
      "tools/call",
      { text: `{"code":-32042,"data":{"elicitations":${text}}}`, failed: true },
      "{}",
      '{"elicitation":{"url":{}}}',
    ), [["[", "{},", "0]"]]),
  "asUpstreamError()": object((text) => asUpstreamError(`{"code":1,"data":${text}}`), [
    ["{", '"source":"internal",', '"z":0}'],
    ["{", '"\\u017f":1,', '"z":0}'],
  ]),
  "renameInMessage(), renameInTask()": object((text) => {
    renameInTask(text, upper);
    return renameInMessage(`{"method":"notifications/tasks","params":${text}}`, upper);
  }, [["{", '"taskId":"a",', '"z":0}'], NAMED]),
  "renameInList(), keepInList()": array((text) => {
    renameInList(`{"tasks":${text}}`, upper);
    return keepInList(`{"tasks":${text}}`, () => true);
  }, [["[", '{"taskId":"a"},', "0]"]]),
  "withoutTasksExtension()": object((text) => withoutTasksExtension(`{"extensions":${text}}`), [
    ["{", '"io.modelcontextprotocol/tasks":{},', '"z":0}'],
  ]),
  "judgeEntry() of a tool": entry("tool", TOOL, "2025-11-25", [
    [TOOL[0], (i) => `"k${i}":null,`, TOOL[1]],
    ['{"name":"t","icons":[', "{},", "0]}"],
    ['{"name":"t","description":"', "\\ud800", '"}'],
    ['{"name":"t","n":', "1", "}"],
  ]),
  "judgeEntry() of a stateless tool": entry("tool", TOOL, STATELESS, [
    [TOOL[0], (i) => `"k${i}":{"type":"string","x-mcp-header":"h${i}"},`, TOOL[1]],
    [
      '{"name":"t","inputSchema":{},"outputSchema":{"type":"array","anyOf":[',
      '{"$ref":"#/anyOf/0/x"},',
      "{}]}}",
    ],
    [
      '{"name":"t","inputSchema":{},"outputSchema":{"properties":{',
      (i) => `"k${i}":{"$ref":"#/properties/k${i + 1}"},`,
      '"z":true}}}',
    ],
  ]),
  "paramAnnotations()": {
    max: 512 * KIB,
    slow: [["", "k", ""]],
    // A long key above many annotations.
    read: (text) =>
      paramAnnotations({
        properties: {
          [text]: {
            properties: Object.fromEntries(
              Array.from(
                { length: Math.ceil(text.length / 10) },
                (_, i) => [i, { type: "string", "x-mcp-header": `h${i}` }],
              ),
            ),
          },
        },
      }),
  },
  "isCompilable()": {
    max: 128 * KIB,
    slow: [["", "\\p{L}", ""], ["[", (i) => String.fromCodePoint(0x3ffff - 3 * (i % 0xffff)), "]"], [
      "",
      "a|",
      "",
    ], [
      "",
      "(?:",
      "",
    ]],
    read: pattern,
  },
  "judgeEntry() of a resource": entry("resource", ['{"uri":"x://a","annotations":{', '"z":0}}'], STATELESS, [
    ['{"uri":"x://a","annotations":{"lastModified":"2026-01-01T00:00:00.', "0", '"}}'],
    ['{"uri":"x://a","annotations":{"audience":[', "1,", "0]}}"],
  ]),
  "judgeEntry() of a prompt": entry("prompt", ['{"name":"p","_meta":{', '"z":0}}'], STATELESS, [
    ['{"name":"p","arguments":[', '{"name":"a","required":1},', '{"name":"z"}]}'],
  ]),
  "mergeCapabilities()": {
    max: 8 * KIB,
    frame: ["[", "0]"],
    pieces: ["1,"],
    slow: [["[", "1,", "0]"]],
    read: (text) => {
      // So many upstreams, each with a capability of its own.
      const all = JSON.parse(text).map((_: unknown, i: number) => ({
        experimental: { [i]: {} },
        tasks: { [i]: {} },
      }));
      return mergeCapabilities({ all, withTools: all, withResources: all, withArguments: all });
    },
  },
};
