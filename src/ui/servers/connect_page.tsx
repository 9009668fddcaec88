// How a client connects: the configuration of each known client, for the whole gateway or for one virtual server.
import { type Client, type ClientName, CLIENTS, json, wholeDocument } from "../../client_config/clients.ts";
import type { Connection } from "../../client_config/connection.ts";
import { writeTable } from "../../client_config/toml_entry.ts";
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import { CopyText, PageHead } from "../parts/page_parts.tsx";
import type { VirtualServer } from "./server_shapes.ts";

/** What stands for the token until the reader puts one in. */
const NO_TOKEN = "YOUR_TOKEN";

export const connectPage: PageHandler = (call) => Promise.resolve(connectView(call, null));

export const connectServerPage: PageHandler = async (call) => {
  const path = `/servers/${encodeURIComponent(call.params.id!)}`;
  return connectView(call, await call.rest.get<VirtualServer>(path));
};

function connectView({ query, origin }: PageCall, server: VirtualServer | null): View {
  const names = Object.keys(CLIENTS) as ClientName[];
  const name = names.find((each) => each === query.get("client")) ?? names[0]!;
  const client: Client = CLIENTS[name];
  const path = server === null ? "connect" : `virtual-servers/${server.id}/connect`;
  const connection: Connection = {
    name: server === null ? "sluice" : slugOf(server.name),
    url: server === null ? `${origin}/mcp` : `${origin}/servers/${server.id}/mcp`,
    gatewayUrl: origin,
    server: server?.id ?? null,
    token: NO_TOKEN,
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
        {client.format === "text" ? null : (
          <p>
            Put this into <code>{client.file({ os: "linux", home: "~", appData: "%APPDATA%" })}</code>{" "}
            <span class="soft">(on Linux; other systems have their own place).</span>
          </p>
        )}
        <CopyText id="configuration" text={configurationOf(client, connection)} />
        <p>{client.then}</p>
        <p class="soft">
          Put a token in place of <code>{NO_TOKEN}</code>.
        </p>
      </>
    ),
  };
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
