// The data plane of a worker around a fake upstream for each gateway: catalog, upstreams and dispatcher are the real ones.
import { systemClock } from "../../src/base/clock.ts";
import { MemoryCache } from "../../src/cache/memory_cache.ts";
import { ResourceLinks } from "../../src/proxy/resources/resource_links.ts";
import { Callers } from "../../src/auth/callers.ts";
import { ClientMemory } from "../../src/base/sharing/client_memory.ts";
import { NO_PASSTHROUGH, upstreamDeps } from "./upstream_deps.ts";
import { ErrorReporter, rpcErrorText } from "../../src/http/error_response.ts";
import { Catalog } from "../../src/catalog/snapshot/catalog.ts";
import { classify, type RequestMessage } from "../../src/mcp/json_rpc.ts";
import type { CallContext } from "../../src/proxy/call/call_context.ts";
import { LoginQuestions } from "../../src/proxy/call/login_question.ts";
import { CallMeter } from "../../src/proxy/call/call_meter.ts";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { Dispatcher } from "../../src/proxy/dispatch.ts";
import { ListCursors } from "../../src/proxy/call/list_cursor.ts";
import { TaskIds } from "../../src/proxy/tasks/task_ids.ts";
import { TaskListCursors } from "../../src/proxy/methods/tasks_list.ts";
import { UpstreamCaller } from "../../src/proxy/methods/upstream_caller.ts";
import type { CatalogRows } from "../../src/store/registry/rows.ts";
import { createLog } from "../../src/telemetry/log.ts";
import type { HttpClient } from "../../src/upstream/http_client/http_client.ts";
import { Upstreams } from "../../src/upstream/upstreams.ts";
import { catalogRows } from "./catalog_rows.ts";
import type { FakeUpstream } from "./fake_upstream.ts";
import { MemorySink, principal } from "./fakes.ts";
import { httpTransports } from "./http_transports.ts";

export interface DataPlane {
  readonly catalog: Catalog;
  readonly dispatcher: Dispatcher;
  readonly errors: ErrorReporter;
  readonly upstreams: Upstreams;
  /** What was logged, from DEBUG. */
  readonly log: MemorySink;
  /** A call context of an ordinary user for everything. */
  context(more?: Partial<CallContext>): CallContext;
}

/** @param fakes by gateway id; each gateway's URL must be `http://{id}.example/…`, as `gatewayRow` makes it */
export async function dataPlane(
  rows: Partial<CatalogRows>,
  fakes: Readonly<Record<string, FakeUpstream>> = {},
  { pageSize = 1000 }: { pageSize?: number } = {},
): Promise<DataPlane> {
  const given = catalogRows(rows);
  const client: HttpClient = {
    send: (request) => fakes[request.url.hostname.split(".")[0]!]!.send(request),
    close: () => {},
  };
  const upstreams = new Upstreams({
    transports: httpTransports(client, 1_000_000),
    shared: upstreamDeps(),
    passthrough: NO_PASSTHROUGH,
    targetOf: ({ name, url, transport }) =>
      Promise.resolve({ transport, upstream: name, url: new URL(url), headers: [] }),
    onUnusable: () => {},
    onShared: () => {},
  });
  await upstreams.update(given.gateways);
  const catalog = new Catalog(given, { revisions: "all" });
  const log = new MemorySink();
  const errors = new ErrorReporter(createLog({ level: "DEBUG", format: "json", sink: log }), () => {});
  const meter = new CallMeter(new Metrics(), 100);
  const dispatcher = new Dispatcher(
    new UpstreamCaller(upstreams, {
      toolTimeoutMs: 60_000,
      requestTimeoutMs: 30_000,
      taskIds: new TaskIds("secret"),
      links: new ResourceLinks(new MemoryCache(systemClock)),
      callers: new Callers({ calls: 1_000, streams: 1_000 }, new ClientMemory(Infinity)),
      quotas: null,
      meter,
      loginQuestions: new LoginQuestions({
        ...{ publicUrl: null, isSecure: false, clock: systemClock, timeoutMs: 1_000 },
        connections: () => Promise.resolve([]),
        recheck: () => {},
      }),
    }),
    {
      identity: { name: "sluice", version: "1.2.3" },
      paging: { cursors: new ListCursors("secret"), pageSize },
      taskCursors: new TaskListCursors("secret"),
      toErrorObject: (thrown, call) => rpcErrorText(errors.report(thrown, call)),
      audit: null,
      meter,
    },
  );
  const context = (more: Partial<CallContext> = {}): CallContext => ({
    principal: principal(),
    scope: catalog.all,
    revision: "2025-11-25",
    received: new Headers(),
    toolsAsMethods: false,
    bound: null,
    ...more,
  });
  return { catalog, dispatcher, upstreams, errors, log, context };
}

/** A request message from its text. */
export function requestOf(text: string): RequestMessage {
  const message = classify(JSON.parse(text), text);
  if (message.kind !== "request") throw new Error(`no request: ${text}`);
  return message;
}
