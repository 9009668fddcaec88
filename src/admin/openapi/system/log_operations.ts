// The operations of the log.
import * as z from "zod";
import { field } from "../../rest/described.ts";
import { logQuery } from "../../rest/queries.ts";
import { flag, json, text, textOrNull, timeOrNull } from "../answers.ts";
import { operations } from "../operation.ts";

const line = z.strictObject({
  id: text("The place of the line in the log of this process, for `after`.", "5f0c1d2e-48211"),
  timestamp: timeOrNull("When it was written."),
  level: textOrNull("`DEBUG`, `INFO`, `WARNING` or `ERROR`.", "WARNING"),
  message: textOrNull("The event.", "request failed"),
  logger: text("Who wrote it: `main`, or a worker by its number.", "worker 1"),
  request_id: textOrNull("The correlation id of the request.", "0f6e4c1a9b7d4c55a2b8"),
  caller: textOrNull("The subject of the token.", "ann@example.com"),
  tool: textOrNull("The tool or prompt as the client named it, or the URI of the resource.", "time-now"),
  upstream: textOrNull("The name of the upstream.", "time"),
  entity_type: field(
    z.enum(["tool", "gateway"]).nullable(),
    "ContextForge's field: `tool` if the line has one, else `gateway` if it has an upstream.",
    "tool",
  ),
  entity_id: field(z.null(), "ContextForge's field: lines have names of entities, and no ids.", null),
  entity_name: textOrNull("The name of that entity.", "time-now"),
  data: field(json, "The other fields of the line. Secrets are masked.", { code: "UPSTREAM_TIMEOUT" }),
}).describe("One line of the log.");

const description =
  "The lines of the replica that answers, of all its workers, as far as `LOG_BUFFER_SIZE_MB` has room. " +
  "Calls have lines with `DISABLE_ACCESS_LOG=false`.";

const list = {
  summary: "Read the log",
  description: `The newest line first. ${description}`,
  query: logQuery,
  answers: {
    200: z.strictObject({
      logs: field(z.array(line), "The lines that fit."),
      isCut: flag("Whether older lines fit too.", false),
      latest: text("The id of the last line of the log, whether or not it fits.", "5f0c1d2e-48590"),
      oldest: timeOrNull("When the oldest kept line was written."),
    }).describe("Lines of the log."),
  },
};

const stream = {
  summary: "Follow the log",
  description:
    "An event stream: the data of each event is one line as JSON. It begins with the lines that are written " +
    "from now on, or after the one that `after` names. The stream ends after two minutes; connect again with the " +
    "last `id` as `after`. An event `skipped` stands before lines that follow skipped ones. " +
    description,
  query: logQuery,
  answers: { 200: z.string().describe("Server-sent events.") },
  mediaTypes: { 200: ["text/event-stream"] },
};

export const logOperations = operations("Operation", {
  listLogLines: list,
  listLogLinesAsAdmin: { ...list, summary: "Read the log, under ContextForge's path" },
  streamLogLines: stream,
  streamLogLinesAsAdmin: { ...stream, summary: "Follow the log, under ContextForge's path" },
});
