// The page of a tool: what it is, what it takes, and a form that calls it.
import type { PageCall, PageHandler, RpcOutcome, View } from "../call/page_call.ts";
import { type FormState, NEW_FORM, PostButton, RefusalBox } from "../parts/form.tsx";
import { Badge, Facts, PageHead } from "../parts/page_parts.tsx";
import { type Entry, EntryState } from "./entry_lists.tsx";
import { ArgumentFields, argumentsIn, type ArgumentsSchema } from "./schema_form.tsx";
import { type ToolResult, ToolResultView } from "./tool_result.tsx";

interface Tool extends Entry {
  readonly originalName: string;
  readonly originalDescription: string | null;
  readonly inputSchema: ArgumentsSchema | null;
  readonly outputSchema: unknown;
  readonly annotations: Readonly<Record<string, unknown>> | null;
  readonly tags: readonly { readonly label: string }[];
  readonly timeoutMs: number | null;
}

const CRUMBS = [{ path: "tools", label: "Tools" }];

interface Tried {
  readonly outcome: RpcOutcome;
  readonly elapsedMs: number;
}

export const toolPage: PageHandler = async (call) => toolView(call, await toolOf(call), NEW_FORM, null);

export const tryTool: PageHandler = async (call) => {
  const tool = await toolOf(call);
  const values = await call.form();
  const { args, faults } = argumentsIn(tool.inputSchema ?? {}, values);
  if (faults.length > 0) {
    const refused = {
      text: "Some arguments have to be changed.",
      code: "VALIDATION_FAILED",
      faults,
    } as const;
    return toolView(call, tool, { values, refused }, null, 422);
  }
  const startedAt = performance.now();
  const outcome = await call.rpc("tools/call", { name: tool.name, arguments: args });
  const elapsedMs = Math.round(performance.now() - startedAt);
  return toolView(call, tool, { values, refused: null }, { outcome, elapsedMs });
};

export const switchTool: PageHandler = async (call) => {
  const { params, form, rest } = call;
  const activate = (await form()).get("activate") === "true";
  await rest.send("POST", `/tools/${encodeURIComponent(params.id!)}/state?activate=${activate}`);
  const { id, name } = await toolOf(call);
  return {
    to: `tools/${id}`,
    notice: {
      text: `${name} is ${activate ? "on" : "off"}.`,
      undo: { path: `tools/${id}/state`, fields: { activate: String(!activate) } },
    },
  };
};

async function toolOf({ rest, params }: PageCall): Promise<Tool> {
  return await rest.get<Tool>(`/tools/${encodeURIComponent(params.id!)}`);
}

function toolView(
  { viewer }: PageCall,
  tool: Tool,
  form: FormState,
  tried: Tried | null,
  status?: number,
): View {
  const { id, name, enabled, inputSchema, outputSchema } = tool;
  const hints = hintsOf(tool);
  return {
    title: name,
    status,
    body: (
      <>
        <PageHead title={name} crumbs={CRUMBS}>
          <EntryState entry={tool} />
          {viewer.can("tools.update") && (
            <PostButton
              path={`tools/${id}/state`}
              label={enabled ? "Switch off" : "Switch on"}
              fields={{ activate: String(!enabled) }}
            />
          )}
        </PageHead>
        {tool.description !== null && <p>{tool.description}</p>}
        <Facts
          facts={[
            ["Upstream", tool.gatewaySlug && <a href={`upstreams/${tool.gatewayId}`}>{tool.gatewaySlug}</a>],
            ["Name there", tool.originalName === name ? null : <code>{tool.originalName}</code>],
            ["Seen by", tool.visibility],
            [
              "Hints",
              hints.length === 0 ? null : hints.map((hint) => (
                <>
                  <Badge mood="plain" label={hint} />
                  {" "}
                </>
              )),
            ],
            ["Tags", tool.tags.length === 0 ? null : tool.tags.map(({ label }) => label).join(", ")],
          ]}
        />
        {enabled && viewer.can("tools.execute") && (
          <>
            <h2>Try it</h2>
            <RefusalBox
              refused={form.refused}
              shown={form.refused?.faults.map(({ loc }) => String(loc[0])) ?? []}
            />
            <form class="form" method="post" action={`tools/${id}#result`}>
              <ArgumentFields schema={inputSchema ?? {}} form={form} />
              <div class="buttons">
                <button type="submit" class="main">Call {name}</button>
              </div>
            </form>
            {tried !== null && (
              <section id="result" aria-label="Result">
                <h2>Result</h2>
                {"result" in tried.outcome
                  ? <ToolResultView result={tried.outcome.result as ToolResult} elapsedMs={tried.elapsedMs} />
                  : (
                    <div class="notice bad" role="alert">
                      <p>{tried.outcome.error.message}</p>
                    </div>
                  )}
              </section>
            )}
          </>
        )}
        <h2>Schema</h2>
        <details>
          <summary>What it takes</summary>
          <pre tabindex={0}>{JSON.stringify(inputSchema, null, 2)}</pre>
        </details>
        {outputSchema !== null && (
          <details>
            <summary>What it returns</summary>
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
