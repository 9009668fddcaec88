// How a client connects: the configuration of each known client, for the whole gateway or for one virtual server.
import {
  type Client,
  type ClientName,
  CLIENTS,
  type FileClient,
  json,
  wholeDocument,
} from "../../client_config/clients.ts";
import type { Connection } from "../../client_config/connection.ts";
import { writeTable } from "../../client_config/toml_entry.ts";
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import type { Refusal } from "../call/rest.ts";
import { PostButton, RefusalBox } from "../parts/form.tsx";
import { CLIENT_PERMISSIONS } from "../people/token_pages.tsx";
import { CopyText, Facts, PageHead } from "../parts/page_parts.tsx";
import type { VirtualServer } from "./server_shapes.ts";

/** What stands for the token until the reader puts one in. */
const NO_TOKEN = "YOUR_TOKEN";

export const connectPage: PageHandler = (call) => Promise.resolve(connectView(call, null, null));

export const connectServerPage: PageHandler = async (call) => connectView(call, await serverOf(call), null);

export const connectWithToken: PageHandler = async (call) =>
  connectView(call, null, await newToken(call, null));

export const connectServerWithToken: PageHandler = async (call) => {
  const server = await serverOf(call);
  return connectView(call, server, await newToken(call, server));
};

async function serverOf({ rest, params }: PageCall): Promise<VirtualServer> {
  return await rest.get<VirtualServer>(`/servers/${encodeURIComponent(params.id!)}`);
}

type NewToken = { readonly token: string } | { readonly refused: Refusal };

/** A token for the client alone, and for the virtual server alone. */
async function newToken({ rest, query }: PageCall, server: VirtualServer | null): Promise<NewToken> {
  const made = new Date().toISOString().slice(0, 19).replace("T", " ");
  const answer = await rest.attempt<{ access_token: string }>("POST", "/tokens", {
    name: `${query.get("client") ?? "client"}${server === null ? "" : ` for ${server.name}`}, ${made}`,
    expires_in_days: TOKEN_DAYS,
    scope: { permissions: CLIENT_PERMISSIONS, ...(server === null ? {} : { server_id: server.id }) },
  });
  return "refused" in answer ? answer : { token: answer.done.access_token };
}

const TOKEN_DAYS = 90;

function connectView(
  { query, origin, viewer, takesLogins }: PageCall,
  server: VirtualServer | null,
  made: NewToken | null,
): View {
  const names = Object.keys(CLIENTS) as ClientName[];
  const name = names.find((each) => each === query.get("client")) ?? names[0]!;
  const client: Client = CLIENTS[name];
  const logsIn = takesLogins && client.logIn !== null && made === null;
  const path = server === null ? "connect" : `virtual-servers/${server.id}/connect`;
  const connection: Connection = {
    name: server === null ? "sluice" : slugOf(server.name),
    url: server === null ? `${origin}/mcp` : `${origin}/servers/${server.id}/mcp`,
    gatewayUrl: origin,
    server: server?.id ?? null,
    token: logsIn ? null : made !== null && "token" in made ? made.token : NO_TOKEN,
    program: ["sluice"],
  };
  const crumbs = server === null ? [] : [
    { path: "virtual-servers", label: "Virtual servers" },
    { path: `virtual-servers/${server.id}`, label: server.name },
  ];
  const title = server === null ? "Connect a client" : `Connect a client to ${server.name}`;
  return {
    title,
    body: (
      <>
        <PageHead title="Connect a client" crumbs={crumbs} />
        <ul class="tabs">
          {names.map((each) => (
            <li>
              <a href={`${path}?client=${each}`} aria-current={each === name ? "page" : undefined}>
                {CLIENTS[each].title}
              </a>
            </li>
          ))}
        </ul>
        {client.format === "text" ? null : <FilePlaces client={client} />}
        <CopyText id="configuration" text={configurationOf(client, connection)} />
        {client.needs !== undefined && <p>{client.needs}</p>}
        <p>{client.then}</p>
        {logsIn && <p>{`${client.logIn} It needs no token.`}</p>}
        {made !== null && "token" in made && (
          <div class="notice warn" role="status">
            <p>{`The token is in it, for ${TOKEN_DAYS} days. Copy it now: it is not shown again.`}</p>
          </div>
        )}
        {made !== null && "refused" in made && <RefusalBox refused={made.refused} shown={[]} />}
        {(made === null || "refused" in made) && (
          <>
            {!logsIn && (
              <p class="soft">
                Put a token in place of <code>{NO_TOKEN}</code>.
              </p>
            )}
            {viewer.can("tokens.create") && (
              <PostButton path={`${path}?client=${name}`} label="Create a token for it" />
            )}
          </>
        )}
      </>
    ),
  };
}

/** Where the client keeps its file: the page does not know the system of the client's machine. */
function FilePlaces({ client }: { readonly client: FileClient }) {
  const linux = client.file({ os: "linux", home: "~", appData: "" });
  const mac = client.file({ os: "darwin", home: "~", appData: "" });
  const windows = client.file({ os: "windows", home: "%USERPROFILE%", appData: "%APPDATA%" });
  const places = [
    ...(mac === linux ? [["macOS, Linux", mac]] : [["macOS", mac], ["Linux", linux]]),
    ["Windows", windows.replaceAll("/", "\\")],
  ] as const;
  return (
    <>
      <p>Put this into the client's file:</p>
      <Facts facts={places.map(([system, file]) => [system!, <code>{file}</code>])} />
    </>
  );
}

function configurationOf(client: Client, connection: Connection): string {
  if (client.format === "text") return client.text(connection);
  if (client.format === "json") return json(wholeDocument(client, connection));
  return writeTable(
    client.path(connection, null),
    client.entry(connection) as Parameters<typeof writeTable>[1],
  ).join("\n");
}

/** A name that every client takes. */
function slugOf(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "sluice";
}
