// Adding the servers of a client's configuration: what would be registered, then what was.
import { parseJsonc } from "../../client_config/jsonc.ts";
import { SluiceError } from "../../base/errors.ts";
import type { PageHandler, View } from "../call/page_call.ts";
import { type Refusal, refusalOf, type Rest } from "../call/rest.ts";
import { type FormState, NEW_FORM, RefusalBox, TextField } from "../parts/form.tsx";
import { Badge, type Mood, PageHead } from "../parts/page_parts.tsx";
import { adviceFor } from "../../upstream/upstream_advice.ts";
import { CRUMBS, newUpstreamPage, WayTabs } from "./upstream_writes.tsx";

interface Imported {
  readonly name: string;
  readonly outcome: "taken" | "changed" | "unchanged" | "left_out" | "failed";
  readonly gatewayId: string | null;
  readonly toolCount: number | null;
  readonly isDisabled: boolean;
  readonly reason: string | null;
  readonly missing: readonly string[];
  readonly unread: readonly string[];
  readonly warnings: readonly string[];
}

interface Report {
  readonly dryRun: boolean;
  readonly servers: readonly Imported[];
}

const EXAMPLE = `{
  "mcpServers": {
    "time": { "type": "http", "url": "https://mcp.example.com/mcp" }
  }
}`;

/** Variables of the file are fields whose names begin with this. */
const PREFIX = "value.";

export const addPage: PageHandler = async (call) =>
  call.query.get("way") === "file" ? importView(NEW_FORM, null) : await newUpstreamPage(call);

export const importUpstreams: PageHandler = async ({ form, rest }) => {
  const values = await form();
  const isDryRun = values.get("do") !== "register";
  const answer = await report(rest, values, isDryRun);
  if ("refused" in answer) return importView({ values, refused: answer.refused }, null, 422);
  return importView({ values, refused: null }, answer.done);
};

async function report(
  rest: Rest,
  values: URLSearchParams,
  isDryRun: boolean,
): Promise<{ readonly done: Report } | { readonly refused: Refusal }> {
  try {
    const file = parseJsonc(values.get("text") ?? "");
    const given = [...values].flatMap(([name, value]) =>
      name.startsWith(PREFIX) && value !== "" ? [[name.slice(PREFIX.length), value]] : []
    );
    // The REST API refuses a value that is no object, in its words.
    const body = typeof file === "object" && file !== null && !Array.isArray(file)
      ? { ...file, values: Object.fromEntries(given), source: "" }
      : file;
    return await rest.attempt<Report>("POST", `/import/mcp-servers?dry_run=${isDryRun}`, body);
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== "CONFIG_TEXT_INVALID") throw error;
    return { refused: refusalOf(error) };
  }
}

function importView(form: FormState, found: Report | null, status?: number): View {
  const servers = found?.servers ?? [];
  const missing = [...new Set(servers.flatMap(({ missing }) => missing))];
  const coming = servers.filter(({ outcome }) => outcome === "taken" || outcome === "changed").length;
  const mayRegister = found?.dryRun === true && (coming > 0 || missing.length > 0);
  return {
    title: "Add an upstream",
    status,
    body: (
      <>
        <PageHead title="Add an upstream" crumbs={CRUMBS} />
        <WayTabs chosen="file" />
        <RefusalBox refused={form.refused} shown={[]} />
        {found !== null && <ReportTable report={found} />}
        <form class="form" method="post" action="upstreams/import">
          {missing.length > 0 && (
            <>
              <h2>Variables</h2>
              {missing.map((name) => (
                <TextField
                  {...{ name: PREFIX + name, label: name, form: NEW_FORM, type: "password" }}
                  autocomplete="new-password"
                />
              ))}
            </>
          )}
          {found !== null && <h2>The configuration</h2>}
          <TextField
            {...{ name: "text", label: "Configuration", form, rows: 14, placeholder: EXAMPLE }}
            required
            isCode
            hint="The text of the file of Claude Desktop, Claude Code, Cursor, VS Code or another client. Comments are fine."
          />
          <div class="buttons">
            {mayRegister && (
              <button type="submit" class="main" name="do" value="register">
                {coming > 0 ? `Connect and add ${coming}` : "Connect and add"}
              </button>
            )}
            <button type="submit" class={mayRegister ? "" : "main"} name="do" value="review">
              {found === null ? "Show what would be added" : "Show again"}
            </button>
            <a class="button" href="upstreams">{found?.dryRun === false ? "To the upstreams" : "Cancel"}</a>
          </div>
        </form>
      </>
    ),
  };
}

function ReportTable({ report: { dryRun, servers } }: { readonly report: Report }) {
  if (servers.length === 0) return <p class="soft">The configuration names no server.</p>;
  return (
    <>
      <h2>{dryRun ? "What would be added" : "What was added"}</h2>
      <table class="cards-on-phone">
        <thead>
          <tr>
            <th>Server</th>
            <th>Outcome</th>
            <th class="number">Tools</th>
          </tr>
        </thead>
        <tbody>
          {servers.map((server) => {
            const { mood, label } = outcomeOf(server, dryRun);
            return (
              <tr>
                <td>
                  {server.gatewayId === null
                    ? <strong>{server.name}</strong>
                    : <a href={`upstreams/${server.gatewayId}`}>{server.name}</a>}
                  {notesOf(server).map((note) => <span class="note">{note}</span>)}
                </td>
                <td data-label="Outcome">
                  <Badge mood={mood} label={label} />
                </td>
                <td data-label="Tools" class="number">{server.toolCount ?? "–"}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </>
  );
}

function outcomeOf(
  { outcome, isDisabled }: Imported,
  dryRun: boolean,
): { readonly mood: Mood; readonly label: string } {
  const off = isDisabled ? ", switched off" : "";
  switch (outcome) {
    case "taken":
      return { mood: "good", label: (dryRun ? "new" : "added") + off };
    case "changed":
      return { mood: "good", label: (dryRun ? "would change" : "changed") + off };
    case "unchanged":
      return { mood: "plain", label: "there already" };
    case "left_out":
      return { mood: "warn", label: "left out" };
    case "failed":
      return { mood: "bad", label: "failed" };
  }
}

function notesOf({ reason, unread, warnings }: Imported): string[] {
  const advice = reason === null ? null : adviceFor(reason);
  return [
    ...(reason === null ? [] : [reason]),
    ...(advice === null ? [] : [advice]),
    ...warnings,
    ...(unread.length === 0 ? [] : [`Without effect here: ${unread.join(", ")}.`]),
  ];
}
