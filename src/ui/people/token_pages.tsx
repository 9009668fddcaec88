// The viewer's API tokens: their list, the form that makes one, its use.
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import type { Rest } from "../call/rest.ts";
import { ChoicePicker, type FoundOptions, foundView } from "../parts/choice_picker.tsx";
import {
  type FormState,
  NEW_FORM,
  type Option,
  PostButton,
  RefusalBox,
  SelectField,
  TextField,
} from "../parts/form.tsx";
import { Ago, Badge, CopyText, Empty, Facts, Moment, PageHead, Pages } from "../parts/page_parts.tsx";
import { readPart } from "../parts/search_list.tsx";
import { findServers, nameOf } from "./place_search.ts";

export interface ApiToken {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly user_email: string;
  readonly team_id: string | null;
  readonly server_id: string | null;
  readonly resource_scopes: readonly string[] | null;
  readonly ip_restrictions: readonly string[] | null;
  readonly usage_limits: Readonly<Record<string, number>> | null;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly last_used: string | null;
  readonly is_active: boolean;
  readonly is_revoked: boolean;
}

interface Usage {
  readonly period_days: number;
  readonly total_requests: number;
  readonly blocked_requests: number;
  readonly success_rate: number;
  readonly average_response_time_ms: number;
  readonly top_endpoints: readonly (readonly [string, number])[];
  readonly addresses: readonly { readonly address: string; readonly last_used: string }[];
}

const CRUMBS = [{ path: "tokens", label: "Your tokens" }];

export const listTokens: PageHandler = async ({ rest, viewer, query }) => {
  const { data, pagination } = await readPart(query, async ({ limit, offset }) => {
    const path = `/tokens?include_inactive=true&limit=${limit}&offset=${offset}`;
    const { tokens, total } = await rest.get<{ tokens: ApiToken[]; total: number }>(path);
    return [tokens, total];
  });
  const isEmpty = pagination.total_items === 0;
  const now = Date.now();
  const add = viewer.can("tokens.create") && <a class="button main" href="tokens/new">New token</a>;
  return {
    title: "Your tokens",
    body: (
      <>
        <PageHead title="Your tokens">{!isEmpty && add}</PageHead>
        {isEmpty
          ? (
            <Empty title="No token yet">
              <p>
                A token lets a program act for you, with the limits that you give it: one server, some tools,
                some hours.
              </p>
              <div class="buttons">{add}</div>
            </Empty>
          )
          : (
            <table class="cards-on-phone">
              <thead>
                <tr>
                  <th>Token</th>
                  <th>State</th>
                  <th>Limited to</th>
                  <th>Expires</th>
                  <th>Last used</th>
                </tr>
              </thead>
              <tbody>
                {data.map((token) => (
                  <tr>
                    <td>
                      <a href={`tokens/${token.id}`}>{token.name}</a>
                      {token.description !== null && <span class="about">{token.description}</span>}
                    </td>
                    <td data-label="State">
                      <TokenState token={token} now={now} />
                    </td>
                    <td data-label="Limited to">{limitsOf(token)}</td>
                    <td data-label="Expires">
                      {token.expires_at === null ? "never" : <Ago at={token.expires_at} now={now} />}
                    </td>
                    <td data-label="Last used">
                      <Ago at={token.last_used} now={now} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        <Pages path="tokens" query={query} of={pagination} />
      </>
    ),
  };
};

function TokenState({ token, now }: { readonly token: ApiToken; readonly now: number }) {
  if (token.is_revoked) return <Badge mood="plain" label="revoked" />;
  if (token.expires_at !== null && Date.parse(token.expires_at) <= now) {
    return <Badge mood="plain" label="expired" />;
  }
  return token.is_active ? <Badge mood="good" label="active" /> : <Badge mood="plain" label="off" />;
}

function limitsOf({ server_id, resource_scopes, ip_restrictions, usage_limits }: ApiToken): string {
  const limits = [
    server_id === null ? null : "one virtual server",
    resource_scopes === null || resource_scopes.length === 0 ? null : `${resource_scopes.length} permissions`,
    ip_restrictions === null || ip_restrictions.length === 0 ? null : "some addresses",
    usage_limits === null || Object.keys(usage_limits).length === 0 ? null : "a number of requests",
  ].filter((limit) => limit !== null);
  return limits.length === 0 ? "what you may do" : limits.join(", ");
}

export const newTokenPage: PageHandler = (call) => newTokenView(call, NEW_FORM);

export const addToken: PageHandler = async (call) => {
  const values = await call.form();
  const { name = "", description = "", days = "90", server_id = "", use = "" } = Object.fromEntries(values);
  const networks = (values.get("ip_restrictions") ?? "").split(/[\s,]+/).filter((each) => each !== "");
  const perHour = Number(values.get("requests_per_hour") || NaN);
  const answer = await call.rest.attempt<{ access_token: string; token: ApiToken }>("POST", "/tokens", {
    name,
    ...(description.trim() === "" ? {} : { description }),
    ...(days === "never" ? {} : { expires_in_days: Number(days) }),
    scope: {
      ...(server_id === "" ? {} : { server_id }),
      ...(use === "client" ? { permissions: CLIENT_PERMISSIONS } : {}),
      ...(networks.length === 0 ? {} : { ip_restrictions: networks }),
      ...(Number.isNaN(perHour) ? {} : { usage_limits: { requests_per_hour: perHour } }),
    },
  });
  if ("refused" in answer) return await newTokenView(call, { values, refused: answer.refused }, 422);
  return madeView(answer.done.access_token, answer.done.token);
};

/** What a client of MCP needs. */
export const CLIENT_PERMISSIONS = ["tools.read", "tools.execute", "resources.read", "prompts.read"];

const LIFETIMES = [
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "a year" },
  { value: "never", label: "never expires" },
];

const USES = [
  { value: "client", label: "An MCP client: list and call tools, read resources and prompts" },
  { value: "", label: "Everything that you may do" },
];

const ALL_SERVERS: Option = { value: "", label: "All that you see" };

async function findServerOptions(rest: Rest, words: string): Promise<FoundOptions> {
  const { found, more } = await findServers(rest, words);
  return { options: found.map(({ id, name }) => ({ value: id, label: name })), more };
}

export const pickServers: PageHandler = async ({ rest, query }) =>
  foundView("server_id", await findServerOptions(rest, query.get("q")?.trim() ?? ""));

/** The fields of the folded part, which is open if a refused form has values in them. */
const FURTHER_LIMITS = ["ip_restrictions", "requests_per_hour"];

async function newTokenView({ rest }: PageCall, form: FormState, status?: number): Promise<View> {
  const serverId = form.values.get("server_id") ?? "";
  return {
    title: "New token",
    status,
    body: (
      <>
        <PageHead title="New token" crumbs={CRUMBS} />
        <RefusalBox refused={form.refused} shown={["name", "description", "days"]} />
        <form class="form" method="post" action="tokens/new">
          <TextField
            {...{ name: "name", label: "Name", form }}
            required
            hint="For example the program that uses it."
          />
          <TextField {...{ name: "description", label: "Description", form }} />
          <SelectField {...{ name: "use", label: "What for", form, options: USES }} />
          <ChoicePicker
            {...{ name: "server_id", label: "Virtual server", fixed: [ALL_SERVERS], path: "tokens/servers" }}
            noun="a virtual server"
            chosen={serverId === ""
              ? ALL_SERVERS
              : { value: serverId, label: await nameOf(rest, "servers", serverId) }}
            found={await findServerOptions(rest, "")}
          />
          <SelectField {...{ name: "days", label: "Lifetime", form, options: LIFETIMES, initial: "90" }} />
          <details open={FURTHER_LIMITS.some((name) => form.values.get(name))}>
            <summary>Further limits</summary>
            <TextField
              {...{ name: "ip_restrictions", label: "Only from these addresses", form }}
              hint="Addresses and networks, separated by commas: 192.0.2.0/24"
            />
            <TextField
              {...{ name: "requests_per_hour", label: "Requests per hour", form }}
              type="number"
            />
          </details>
          <div class="buttons">
            <button type="submit" class="main">Create token</button>
            <a class="button" href="tokens">Cancel</a>
          </div>
        </form>
      </>
    ),
  };
}

/** The token is shown once: only its hash is kept. */
function madeView(accessToken: string, { id, name }: ApiToken): View {
  return {
    title: `The token ${name}`,
    body: (
      <>
        <PageHead title={`The token ${name}`} crumbs={CRUMBS} />
        <div class="notice warn" role="status">
          <p>Copy it now: it is not shown again.</p>
        </div>
        <CopyText id="token" text={accessToken} />
        <p>
          Programs send it in a header: <code>Authorization: Bearer …</code>
        </p>
        <p>
          <a class="button" href={`tokens/${id}`}>Done</a>
        </p>
      </>
    ),
  };
}

export const tokenPage: PageHandler = async ({ rest, params }) => {
  const path = `/tokens/${encodeURIComponent(params.id!)}`;
  const token = await rest.get<ApiToken>(path);
  const usage = await rest.get<Usage>(`${path}/usage`);
  const now = Date.now();
  const isOver = token.is_revoked;
  return {
    title: token.name,
    body: (
      <>
        <PageHead title={token.name} crumbs={CRUMBS}>
          <TokenState token={token} now={now} />
          {!isOver && (
            <>
              <PostButton
                path={`tokens/${token.id}/state`}
                label={token.is_active ? "Switch off" : "Switch on"}
                fields={{ activate: String(!token.is_active) }}
              />
              <PostButton
                path={`tokens/${token.id}/revoke`}
                label="Revoke"
                class="danger"
                confirm={{
                  question: `Revoke ${token.name}?`,
                  loss: "Programs with it are refused, and it cannot be taken back.",
                }}
              />
            </>
          )}
        </PageHead>
        {token.description !== null && <p dir="auto">{token.description}</p>}
        <Facts
          facts={[
            ["Owner", token.user_email],
            ["Created", <Moment at={token.created_at} now={now} />],
            ["Expires", <Moment at={token.expires_at} now={now} />],
            [
              "Virtual server",
              token.server_id && <a href={`virtual-servers/${token.server_id}`}>{token.server_id}</a>,
            ],
            [
              "Permissions",
              token.resource_scopes?.length ? token.resource_scopes.join(", ") : "all of its owner's",
            ],
            ["Addresses", token.ip_restrictions?.length ? token.ip_restrictions.join(", ") : null],
            ["Requests", token.usage_limits === null ? null : JSON.stringify(token.usage_limits)],
          ]}
        />
        <h2>Use in the last {usage.period_days} days</h2>
        <Facts
          facts={[
            ["Requests", usage.total_requests.toLocaleString("en")],
            ["Refused", usage.blocked_requests.toLocaleString("en")],
            ["Average time", usage.total_requests === 0 ? null : `${usage.average_response_time_ms} ms`],
            ["Last used", <Moment at={token.last_used} now={now} />],
            [
              "From",
              usage.addresses.length === 0 ? null : usage.addresses.map(({ address }) => address).join(", "),
            ],
          ]}
        />
      </>
    ),
  };
};

export const switchToken: PageHandler = async ({ rest, params, form }) => {
  const activate = (await form()).get("activate") === "true";
  const { name } = await rest.send<ApiToken>("PUT", `/tokens/${encodeURIComponent(params.id!)}`, {
    is_active: activate,
  });
  return {
    to: `tokens/${params.id}`,
    notice: {
      text: `${name} is ${activate ? "on" : "off"}.`,
      undo: { path: `tokens/${params.id}/state`, fields: { activate: String(!activate) } },
    },
  };
};

export const revokeToken: PageHandler = async ({ rest, params }) => {
  await rest.send("DELETE", `/tokens/${encodeURIComponent(params.id!)}`);
  return { to: "tokens", notice: { text: "The token is revoked." } };
};
