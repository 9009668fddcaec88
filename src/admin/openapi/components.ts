// The schemas of the document, as JSON Schema (draft 2020-12, which OpenAPI 3.1 uses).
import { NAMED_SESSION_ANSWERS } from "./people/session_operations.ts";
import { joinAsk } from "../rest/people/session_schemas.ts";
import { importAnswer } from "../configurations/transfer_schemas.ts";
import * as z from "zod";
import {
  gatewayCreateBody,
  gatewayUpdateBody,
  promptUpdate,
  resourceUpdate,
  serverBody,
  serverCreate,
  serverUpdate,
  toolUpdate,
} from "../rest/schemas.ts";
import {
  loginBody,
  memberAdd,
  memberUpdate,
  oldPasswordChange,
  passwordChange,
  permissionCheck,
  quotaCreate,
  quotaUpdate,
  roleAssign,
  roleCreate,
  roleUpdate,
  setup,
  teamCreate,
  teamUpdate,
  userCreate,
  userUpdate,
} from "../rest/people_schemas.ts";
import { error, fault, pageLinks, pagination, rpcError, success, tag } from "./answers.ts";
import { message, response } from "./endpoint_operations.ts";
import { prompt, resource, switchedPrompt, switchedResource, switchedTool, tool } from "./entry_answers.ts";
import { gateway, importReport, refreshed, switchedGateway } from "./gateway_answers.ts";
import { tokenCreate, tokenRevoke, tokenUpdate } from "../rest/people/token_schemas.ts";
import { server, version } from "./server_answers.ts";
import {
  assignment,
  finished,
  foundTeam,
  invitation,
  joinRequest,
  member,
  permissionAnswer,
  permissionTable,
  role,
  team,
  teamList,
} from "./people/team_answers.ts";
import { quota } from "./people/quota_operations.ts";
import { createdToken, revokedToken, shownToken, tokenList, tokenUsage } from "./people/token_answers.ts";
import { done, loggedIn, loggedOut, user } from "./people/user_answers.ts";

export type JsonSchema = z.core.JSONSchema.BaseSchema;

const NAMED_ANSWERS: Readonly<Record<string, z.ZodType>> = {
  Error: error,
  RpcError: rpcError,
  Fault: fault,
  RpcResponse: response,
  Success: success,
  Tag: tag,
  Pagination: pagination,
  PageLinks: pageLinks,
  Gateway: gateway,
  Refreshed: refreshed,
  ImportReport: importReport,
  ImportStatus: importAnswer,
  Tool: tool,
  Resource: resource,
  Prompt: prompt,
  Server: server,
  SwitchedGateway: switchedGateway,
  SwitchedTool: switchedTool,
  SwitchedResource: switchedResource,
  SwitchedPrompt: switchedPrompt,
  RevokedToken: revokedToken,
  Token: shownToken,
  CreatedToken: createdToken,
  TokenList: tokenList,
  TokenUsage: tokenUsage,
  Version: version,
  User: user,
  ...NAMED_SESSION_ANSWERS,
  LoggedIn: loggedIn,
  LoggedOut: loggedOut,
  Done: done,
  Team: team,
  TeamList: teamList,
  FoundTeam: foundTeam,
  Member: member,
  Invitation: invitation,
  JoinRequest: joinRequest,
  Role: role,
  RoleAssignment: assignment,
  Quota: quota,
  PermissionAnswer: permissionAnswer,
  PermissionTable: permissionTable,
  Finished: finished,
};

const NAMED_REQUESTS: Readonly<Record<string, z.ZodType>> = {
  GatewayCreate: gatewayCreateBody,
  GatewayUpdate: gatewayUpdateBody,
  ToolUpdate: toolUpdate,
  ResourceUpdate: resourceUpdate,
  PromptUpdate: promptUpdate,
  ServerCreate: serverCreate,
  ServerCreateBody: serverBody,
  ServerUpdate: serverUpdate,
  RpcMessage: message,
  Login: loginBody,
  PasswordChange: passwordChange,
  OldPasswordChange: oldPasswordChange,
  Setup: setup,
  UserCreate: userCreate,
  UserUpdate: userUpdate,
  TeamCreate: teamCreate,
  TeamUpdate: teamUpdate,
  MemberAdd: memberAdd,
  MemberUpdate: memberUpdate,
  JoinAsk: joinAsk,
  RoleCreate: roleCreate,
  RoleUpdate: roleUpdate,
  RoleAssign: roleAssign,
  QuotaCreate: quotaCreate,
  QuotaUpdate: quotaUpdate,
  PermissionCheck: permissionCheck,
  TokenCreate: tokenCreate,
  TokenUpdate: tokenUpdate,
  TokenRevoke: tokenRevoke,
};

export const refTo = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

export interface Schemas {
  /** The named schemas. */
  readonly components: Readonly<Record<string, JsonSchema>>;
  /** A schema that was asked for: a reference if it has a name. */
  of(schema: z.ZodType): JsonSchema;
}

/** @param answers schemas of answers. @param requests schemas of bodies, queries and headers */
export function jsonSchemas(answers: Iterable<z.ZodType>, requests: Iterable<z.ZodType>): Schemas {
  const shown = converted(answers, NAMED_ANSWERS, "output");
  const written = converted(requests, NAMED_REQUESTS, "input");
  return {
    components: { ...shown.named, ...written.named },
    of: (schema) => shown.all.get(schema) ?? written.all.get(schema)!,
  };
}

function converted(
  schemas: Iterable<z.ZodType>,
  named: Readonly<Record<string, z.ZodType>>,
  io: "input" | "output",
) {
  const registry = z.registry<{ id: string }>();
  const names = new Map(Object.entries(named).map(([name, schema]) => [schema, name]));
  for (const [schema, id] of names) registry.add(schema, { id });
  const unnamed = [...new Set(schemas)].filter((schema) => !names.has(schema));
  // Two schemas with equal content share no instance, so a number tells them apart.
  unnamed.forEach((schema, i) => registry.add(schema, { id: `#${i}` }));
  const { schemas: converted } = z.toJSONSchema(registry, {
    io,
    uri: (id) => refTo(id).$ref!,
    override: ({ jsonSchema }) => tidy(jsonSchema, io),
  });
  const body = (id: string): JsonSchema => {
    const { $schema: _, $id: __, ...schema } = converted[id]!;
    return schema;
  };
  return {
    named: Object.fromEntries(Object.keys(named).map((name) => [name, body(name)])),
    all: new Map([
      ...[...names].map(([schema, name]) => [schema, refTo(name)] as const),
      ...unnamed.map((schema, i) => [schema, body(`#${i}`)] as const),
    ]),
  };
}

/** zod says that members have names. */
const ANY_NAME = JSON.stringify({ type: "string" });

function tidy(schema: JsonSchema, io: "input" | "output"): void {
  const { written, description } = schema as { written?: JsonSchema; description?: string };
  if (written !== undefined) {
    for (const key of Object.keys(schema)) delete schema[key];
    Object.assign(schema, written, description === undefined ? {} : { description });
  }
  // Later versions may answer more fields. Tests hold this version to the fields that it describes.
  if (io === "output" && schema.additionalProperties === false) delete schema.additionalProperties;
  // zod's own words, which are no formats.
  if (schema.format === "starts_with" || schema.format === "includes") delete schema.format;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (JSON.stringify(schema.propertyNames) === ANY_NAME) {
    delete schema.propertyNames;
  }
}
