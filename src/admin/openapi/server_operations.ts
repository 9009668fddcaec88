// The operations of /servers.
import { listQuery, pageQuery, stateQuery } from "../rest/queries.ts";
import { serverBody, serverUpdate } from "../rest/schemas.ts";
import { listOf, pageOf, success } from "./answers.ts";
import { prompt, resource, tool } from "./entry_answers.ts";
import { operations } from "./operation.ts";
import { server } from "./server_answers.ts";

const ID = { id: "The id of the virtual server." };

const switchServer = {
  description: "The default of `activate` is true. The endpoints of a disabled server answer 404.",
  path: ID,
  query: stateQuery,
  answers: { 200: server },
};

/** The lists of members take the filters of lists, and no parts. */
const memberQuery = listQuery.omit({ include_pagination: true, limit: true, cursor: true });

export const serverOperations = operations("Servers", {
  listServers: {
    summary: "List virtual servers",
    description: "Newest first. The list has the servers that the caller may see.",
    query: listQuery,
    answers: { 200: listOf("servers", server) },
  },
  createServer: {
    summary: "Create a virtual server",
    description: "The members can be named by id or by name. Two members of one name are refused.",
    body: {
      schema: serverBody,
      example: { server: { name: "Travel", associated_tools: ["time-convert-time"] } },
    },
    answers: { 201: server },
    errors: ["CONFLICT"],
  },
  getServer: { summary: "Read a virtual server", path: ID, answers: { 200: server } },
  updateServer: {
    summary: "Change a virtual server",
    description:
      "Only the fields of the body change. A list of members replaces the former list, apart from the members that the caller may not see.",
    path: ID,
    body: { schema: serverUpdate, example: { description: "Tools for travellers", naming: "original" } },
    answers: { 200: server },
    errors: ["CONFLICT"],
  },
  deleteServer: { summary: "Delete a virtual server", path: ID, answers: { 200: success } },
  switchServer: { summary: "Enable or disable a virtual server", ...switchServer },
  toggleServer: { summary: "Enable or disable a virtual server, by the former path", ...switchServer },
  listServerTools: {
    summary: "List the tools of a virtual server",
    description: "In the order of the server, under the names of the registry.",
    path: ID,
    query: memberQuery,
    answers: { 200: tool.array() },
  },
  listServerResources: {
    summary: "List the resources and templates of a virtual server",
    path: ID,
    query: memberQuery,
    answers: { 200: resource.array() },
  },
  listServerPrompts: {
    summary: "List the prompts of a virtual server",
    path: ID,
    query: memberQuery,
    answers: { 200: prompt.array() },
  },
  pageServers: {
    summary: "List virtual servers in numbered pages",
    query: listQuery.extend(pageQuery.shape),
    answers: { 200: pageOf(server) },
  },
});
