// Room `operation`: what operators read of the running gateway. This file is GET /logs and its live stream: the latest lines of the
// log of this replica, in ContextForge's shape. The permission is ContextForge's too.
import type { z } from "zod";
import type { LogQuery, LogRecord } from "../../telemetry/recent_log.ts";
import { type AdminResponse, type Call, ok } from "../rest/deps.ts";
import { validated } from "../rest/faults.ts";
import { logQuery } from "../rest/queries.ts";
import { LineStream } from "./line_stream.ts";

export async function listLogLines({ deps, query }: Call): Promise<AdminResponse> {
  const found = await deps.logLines.find(conditionsIn(query));
  return ok({
    logs: found.records.map(shape),
    isCut: found.isCut,
    latest: found.latest,
    oldest: found.oldest,
  });
}

/** Lines that are written from now on, or after the one that `after` or Last-Event-ID names. */
export async function streamLogLines({ deps, query, signal }: Call): Promise<AdminResponse> {
  const conditions = conditionsIn(query);
  const stream = await LineStream.open(
    deps.logLines,
    conditions,
    signal,
    (record) => JSON.stringify(shape(record)),
  );
  return {
    status: 200,
    body: stream.readable,
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    },
  };
}

function conditionsIn(query: URLSearchParams): LogQuery {
  const given: z.output<typeof logQuery> = validated(logQuery, Object.fromEntries(query), ["query"]);
  const { caller, tool, upstream, level, failed, after, limit } = given;
  return {
    ...{ caller, tool, upstream, level, failed, after, limit },
    correlationId: given.correlation_id ?? given.request_id,
    text: given.q ?? given.search,
    since: given.since ?? given.start_time,
  };
}

/** A line as ContextForge writes it: the fields that have no place of their own are in `data`. */
function shape({ id, fields }: LogRecord): Record<string, unknown> {
  const { time, level, event, worker, correlationId, caller, tool, upstream, ...data } = fields;
  const entity = tool !== undefined
    ? { type: "tool", name: tool }
    : upstream !== undefined
    ? { type: "gateway", name: upstream }
    : null;
  return {
    id,
    timestamp: time ?? null,
    level: level ?? null,
    message: event ?? null,
    logger: worker === undefined ? "main" : `worker ${worker}`,
    request_id: correlationId ?? null,
    caller: caller ?? null,
    tool: tool ?? null,
    upstream: upstream ?? null,
    entity_type: entity?.type ?? null,
    entity_id: null,
    entity_name: entity?.name ?? null,
    data,
  };
}
