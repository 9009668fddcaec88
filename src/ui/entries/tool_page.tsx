// The page of a tool: what it is, what it takes, and a form that calls it.
import type { PageCall, PageHandler, RpcOutcome, View } from "../call/page_call.ts";
import { type FormState, NEW_FORM } from "../parts/form.tsx";
import { callersIn, type LoggedCaller, type LoggedCalls } from "../call/logged_calls.ts";
import type { ToolFigures } from "../call/live_figures.ts";
import {
  Callers,
  type ExecutionHistory,
  HISTORIES,
  HistoryPart,
  type HistoryProps,
  ToolFiguresPart,
} from "./tool_figures.tsx";
import { Badge, Facts, logPath, PageHead } from "../parts/page_parts.tsx";
import { type Entry, entryPath, EntryState, executionsOf, SwitchButton, tagsOf } from "./entry.tsx";
import { argumentsIn, type ArgumentsSchema, TryForm } from "./schema_form.tsx";
import { CallFailure, type ToolResult, ToolResultView } from "./tool_result.tsx";

interface Tool extends Entry {
  readonly originalName: string;
  readonly originalDescription: string | null;
  readonly inputSchema: ArgumentsSchema | null;
  readonly outputSchema: unknown;
  readonly annotations: Readonly<Record<string, unknown>> | null;
  readonly timeoutMs: number | null;
}

const CRUMBS = [{ path: "tools", label: "Tools" }];

interface Tried {
  readonly outcome: RpcOutcome;
  readonly elapsedMs: number;
}

export const toolPage: PageHandler = async (call) => {
  const tool = await toolOf(call);
  if (!call.query.has("part")) return await toolView(call, tool, NEW_FORM, null);
  const body = <ToolFiguresPart figures={await figuresOf(call, tool)} />;
  return { title: tool.name, body, isPart: true, isLive: true };
};

export const tryTool: PageHandler = async (call) => {
  const tool = await toolOf(call);
  const values = await call.form();
  const { args, refused } = argumentsIn(tool.inputSchema ?? {}, values);
  if (refused !== null) return await toolView(call, tool, { values, refused }, null, 422);
  const startedAt = performance.now();
  const outcome = await call.rpc("tools/call", { name: tool.name, arguments: args });
  const elapsedMs = Math.round(performance.now() - startedAt);
  return await toolView(call, tool, { values, refused: null }, { outcome, elapsedMs });
};

async function toolOf({ rest, params }: PageCall): Promise<Tool> {
  return await rest.get<Tool>(entryPath("tools", params.id!));
}

async function toolView(
  call: PageCall,
  tool: Tool,
  form: FormState,
  tried: Tried | null,
  status?: number,
): Promise<View> {
  const { viewer } = call;
  const { id, name, enabled, inputSchema, outputSchema } = tool;
  const figures = await figuresOf(call, tool);
  const history = viewer.can("admin.metrics") && tool.metrics !== null ? await historyOf(call, id) : null;
  const hasLog = viewer.can("admin.system_config");
  const callers = hasLog ? await callersOf(call, name) : null;
  const hints = hintsOf(tool);
  return {
    title: name,
    status,
    body: (
      <>
        <PageHead title={name} crumbs={CRUMBS}>
          <EntryState entry={tool} />
          {viewer.can("tools.update") && <SwitchButton kind="tools" entry={tool} />}
        </PageHead>
        {tool.description !== null && <p dir="auto">{tool.description}</p>}
        <Facts
          facts={[
            ["Upstream", tool.gatewaySlug && <a href={`upstreams/${tool.gatewayId}`}>{tool.gatewaySlug}</a>],
            ["Title", tool.title],
            ["Original name", tool.originalName === name ? null : <code>{tool.originalName}</code>],
            ["Visibility", tool.visibility],
            [
              "Hints",
              hints.length === 0 ? null : hints.map((hint) => (
                <>
                  <Badge mood="plain" label={hint} />
                  {" "}
                </>
              )),
            ],
            ["Calls", executionsOf(tool.metrics)],
            ["Log", hasLog ? <a href={logPath({ tool: name })}>its lines in the log</a> : null],
            ["Tags", tagsOf(tool)],
          ]}
        />
        {enabled && viewer.can("tools.execute") && (
          <>
            <TryForm {...{ noun: "tool", id, label: `Call ${name}`, schema: inputSchema ?? {}, form }} />
            {tried !== null && (
              <section id="result" aria-label="Result">
                <h2>Result</h2>
                {"result" in tried.outcome
                  ? <ToolResultView result={tried.outcome.result as ToolResult} elapsedMs={tried.elapsedMs} />
                  : <CallFailure error={tried.outcome.error} hasLog={hasLog} />}
              </section>
            )}
          </>
        )}
        {figures !== null && (
          <div id="figures" hx-get={`tools/${id}?part`} hx-trigger="every 2s" hx-swap="innerMorph">
            <ToolFiguresPart figures={figures} />
          </div>
        )}
        {history !== null && <HistoryPart {...history} />}
        {callers !== null && <Callers tool={name} callers={callers} />}
        <h2>Schemas</h2>
        <details>
          <summary>Input schema</summary>
          <pre tabindex={0}>{JSON.stringify(inputSchema, null, 2)}</pre>
        </details>
        {outputSchema !== null && (
          <details>
            <summary>Output schema</summary>
            <pre tabindex={0}>{JSON.stringify(outputSchema, null, 2)}</pre>
          </details>
        )}
      </>
    ),
  };
}

const HINTS: Readonly<Record<string, string>> = {
  readOnlyHint: "only reads",
  destructiveHint: "may destroy",
  idempotentHint: "may be repeated",
  openWorldHint: "reaches the outside",
};

function hintsOf({ annotations }: Tool): string[] {
  return Object.entries(HINTS).flatMap(([name, words]) => annotations?.[name] === true ? [words] : []);
}

/** null: the viewer may not read metrics, or the tool has no upstream. */
async function figuresOf({ rest, figures }: PageCall, tool: Tool): Promise<ToolFigures | null> {
  if (tool.gatewayId === null) return null;
  const all = await figures();
  if (all === null) return null;
  const upstream = await rest.find<{ readonly name: string }>(`/gateways/${tool.gatewayId}`);
  return upstream === null ? null : all.ofTool(upstream.name, tool.originalName);
}

async function historyOf({ rest }: PageCall, id: string): Promise<HistoryProps> {
  const [day, month] = await Promise.all(
    [HISTORIES.day, HISTORIES.month].map(async ({ by, last }) => {
      const asked = new URLSearchParams({ entity: "tool", entity_id: id, by, last: String(last) });
      return await rest.get<ExecutionHistory>(`/metrics/history?${asked}`);
    }),
  );
  return { day: day!, month: month!, now: Date.now() };
}

async function callersOf({ rest }: PageCall, tool: string): Promise<LoggedCaller[]> {
  const asked = new URLSearchParams({ tool, limit: "1000" });
  return callersIn((await rest.get<LoggedCalls>(`/logs?${asked}`)).logs);
}
