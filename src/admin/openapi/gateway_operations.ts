// The operations of /gateways, /export and /import.
import {
  cleanupAnswer,
  cleanupQuery,
  exportAnswer,
  exportQuery,
  importAnswer,
  importRequest,
  selectiveBody,
  selectiveQuery,
} from "../configurations/transfer_schemas.ts";
import type { ErrorCode } from "../../base/errors.ts";
import {
  gatewayStateQuery,
  importQuery,
  listQuery,
  pageQuery,
  refreshQuery,
  stateQuery,
  waitQuery,
} from "../rest/queries.ts";
import { gatewayCreateBody, gatewayUpdateBody, importBody } from "../rest/schemas.ts";
import { listOf, pageOf, success } from "./answers.ts";
import {
  gateway,
  gatewayEvent,
  importReport,
  refreshed,
  removedEntry,
  switchedGateway,
  testedGateway,
} from "./gateway_answers.ts";
import { operations } from "./operation.ts";

const ID = { id: "The id, name or slug of the gateway." };

/** How an upstream fails that the gateway connects to. */
export const UPSTREAM_FAILURES: readonly ErrorCode[] = [
  "UPSTREAM_CONNECT_FAILED",
  "UPSTREAM_TLS_FAILED",
  "UPSTREAM_CLOSED",
  "UPSTREAM_TIMEOUT",
  "UPSTREAM_HTTP_ERROR",
  "UPSTREAM_AUTH_FAILED",
  "UPSTREAM_PROTOCOL_ERROR",
  "UPSTREAM_RESPONSE_TOO_LARGE",
  "UPSTREAM_REJECTED",
  "HTTP_POOL_TIMEOUT",
  "STDIO_LIMIT_REACHED",
];

const DISCOVERY: readonly ErrorCode[] = [
  ...UPSTREAM_FAILURES,
  "UPSTREAM_LIST_TOO_LARGE",
  "CONFLICT",
  "EGRESS_DENIED",
  "COMMAND_DENIED",
];

const SWITCH = "The default of `activate` is true. Clients no longer see the entries of a disabled gateway.";

export const gatewayOperations = {
  ...operations("Gateways", {
    listGateways: {
      summary: "List gateways",
      description: "Newest first. The list has the gateways that the caller may see.",
      query: listQuery.extend(gatewayStateQuery.shape),
      answers: { 200: listOf("gateways", gateway) },
    },
    createGateway: {
      summary: "Register an upstream",
      description:
        "The gateway connects to the upstream, and lists its tools, resources and prompts. It stores " +
        "nothing if that fails. With `wait=false`, it stores the registration at once, and connects afterwards.\n\n" +
        "Field names in camelCase are accepted too. An unknown field is ignored, with a warning in the answer.",
      query: waitQuery,
      body: {
        schema: gatewayCreateBody,
        example: {
          name: "time",
          url: "https://mcp.example.com/mcp",
          auth_type: "bearer",
          auth_token: "TOKEN",
        },
      },
      answers: { 200: gateway },
      errors: DISCOVERY,
    },
    testGateway: {
      summary: "Try an upstream",
      description:
        "The gateway connects to the upstream that the body describes, as a registration does, and lists it. It stores nothing. " +
        "A failure has the status and the words of a failed registration.",
      body: {
        schema: gatewayCreateBody,
        example: { name: "time", url: "https://mcp.example.com/mcp" },
      },
      answers: { 200: testedGateway },
      errors: DISCOVERY,
    },
    getGateway: {
      summary: "Read a gateway",
      path: ID,
      answers: { 200: gateway },
      errors: ["CONFLICT"],
    },
    updateGateway: {
      summary: "Change a gateway",
      description:
        "Only the fields of the body change. A new address, transport, certificate, protocol or credential is " +
        "tried first: the gateway stores nothing if the upstream cannot be listed.\n\n" +
        "The mask `*****` in the place of a secret keeps the stored secret.",
      path: ID,
      body: { schema: gatewayUpdateBody, example: { description: "Time zones of the world" } },
      answers: { 200: gateway },
      errors: [...DISCOVERY, "SECRET_UNREADABLE"],
    },
    deleteGateway: {
      summary: "Delete a gateway",
      description: "The upstream's tools, resources and prompts are deleted with it.",
      path: ID,
      answers: { 200: success },
      errors: ["CONFLICT"],
    },
    switchGateway: {
      summary: "Enable or disable a gateway",
      description: SWITCH,
      path: ID,
      query: stateQuery,
      answers: { 200: switchedGateway },
      errors: ["CONFLICT"],
    },
    toggleGateway: {
      summary: "Enable or disable a gateway, by the former path",
      description: SWITCH,
      path: ID,
      query: stateQuery,
      answers: { 200: switchedGateway },
      errors: ["CONFLICT"],
    },
    drainGateway: {
      summary: "Drain a gateway",
      description:
        "New calls and sessions are refused, and its entries leave the lists at once. Calls under way may end. " +
        "`callsUnderWay` says how many there still are in this replica. Disabling the gateway cuts them off; enabling it " +
        "ends the draining. A gateway that is disabled stays as it is.",
      path: ID,
      answers: { 200: gateway },
      errors: ["CONFLICT"],
    },
    listGatewayHistory: {
      summary: "Read what has happened to a gateway",
      description: "The newest 50 events, the newest first. Repetitions of an event are left out.",
      path: ID,
      answers: { 200: gatewayEvent.array() },
      errors: ["CONFLICT"],
    },
    refreshGateway: {
      summary: "List an upstream again",
      description:
        "Tools are always listed, resources and prompts on request. Everything is listed the first time.",
      path: ID,
      query: refreshQuery,
      answers: { 200: refreshed },
      errors: [
        "CONFLICT",
        ...UPSTREAM_FAILURES,
        "UPSTREAM_LIST_TOO_LARGE",
        "EGRESS_DENIED",
        "COMMAND_DENIED",
        "SECRET_UNREADABLE",
      ],
    },
    listRemoved: {
      summary: "List removed entries",
      description:
        "Entries that the upstream no longer lists, and deleted ones. The gateway keeps the name, and what an " +
        "operator has decided about the entry. An entry that comes back has its id, name and settings again.",
      path: ID,
      answers: { 200: removedEntry.array() },
      errors: ["CONFLICT"],
    },
    forgetRemoved: {
      summary: "Forget a removed entry",
      description: "The name of the entry becomes free.",
      path: { ...ID, entry: "The id of the entry." },
      answers: { 200: success },
      errors: ["CONFLICT"],
    },
    pageGateways: {
      summary: "List gateways in numbered pages",
      query: listQuery.extend(gatewayStateQuery.shape).extend(pageQuery.shape),
      answers: { 200: pageOf(gateway) },
    },
  }),
  ...operations("Transfer", {
    exportConfiguration: {
      summary: "Export the configuration",
      description:
        "What the caller sees of upstreams, their entries and virtual servers. Credentials are left out, and addresses masked.",
      query: exportQuery,
      answers: { 200: exportAnswer },
    },
    exportSelection: {
      summary: "Export a selection, or everything with sealed credentials",
      query: selectiveQuery,
      body: { schema: selectiveBody, example: { servers: ["Travel"] } },
      answers: { 200: exportAnswer },
    },
    importConfiguration: {
      summary: "Import a configuration",
      description:
        "Takes exports of this program and of ContextForge. A second import of the same file changes nothing. The caller needs the permissions to create and update each kind in the file.",
      body: {
        schema: importRequest,
        example: {
          import_data: { version: "1", exported_at: "2026-01-01T00:00:00Z", entities: {} },
          dry_run: true,
        },
      },
      answers: { 200: importAnswer },
      errors: ["CONFLICT"],
    },
    listImportStatuses: {
      summary: "List the statuses of imports",
      description: "Of the last day, at most 50. The newest comes first.",
      answers: { 200: importAnswer.array() },
    },
    cleanUpImports: {
      summary: "Forget the statuses of old imports",
      query: cleanupQuery,
      answers: { 200: cleanupAnswer },
    },
    getImportStatus: {
      summary: "Get the status of an import",
      path: { id: "The id of the import." },
      answers: { 200: importAnswer },
    },
  }),
  ...operations("Import", {
    importMcpServers: {
      summary: "Register the servers of a configuration file",
      description:
        "The body is the text of the file, as Claude Desktop, Claude Code, Cursor, VS Code and other clients " +
        "write it. Comments are allowed. Each entry is registered whole or not at all; the report names every reason.\n\n" +
        "With `progress=true`, the answer is a stream of JSON lines with the member `event`: `phase` and `result` of each " +
        "entry, then `report`; or `failed` with `code` and `detail`.",
      query: importQuery,
      body: {
        schema: importBody,
        example: { mcpServers: { time: { type: "http", url: "https://mcp.example.com/mcp" } } },
      },
      answers: { 200: importReport },
      mediaTypes: { 200: ["application/json", "application/x-ndjson"] },
      errors: ["CONFIG_TEXT_INVALID"],
    },
  }),
};
