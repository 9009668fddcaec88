// The pages of logins at upstreams: the list, the page that a call without a login leads to, and the way to the provider and back.
import type { PageHandler } from "../call/page_call.ts";
import { PostButton } from "../parts/form.tsx";
import { ActionsHead, Ago, Badge, Empty, Facts, Moment, PageHead, Pages } from "../parts/page_parts.tsx";
import { type ListPage, partOf } from "../parts/search_list.tsx";

interface Connection {
  readonly gateway_id: string;
  readonly gateway_name: string;
  readonly state: keyof typeof STATES;
  readonly connected_at: string | null;
  readonly expires_at: string | null;
  readonly is_renewable: boolean;
  readonly fault: string | null;
  readonly wanted_scope: string | null;
}

interface OwnConnection extends Connection {
  readonly connection: "user" | "shared";
  readonly may_connect: boolean;
}

interface OwnedConnection extends Connection {
  readonly owner: string | null;
}

const STATES = {
  none: { mood: "plain", label: "not connected" },
  connected: { mood: "good", label: "connected" },
  wants_scope: { mood: "warn", label: "wants further rights" },
  expires_soon: { mood: "warn", label: "expires soon" },
  expired: { mood: "bad", label: "expired" },
  lost: { mood: "bad", label: "lost" },
} as const;

function State({ of }: { readonly of: Connection }) {
  return (
    <span>
      <Badge {...STATES[of.state]} />
      {of.fault !== null && <span class="note">{of.fault}</span>}
      {of.wanted_scope !== null && <span class="note">{`scopes: ${of.wanted_scope}`}</span>}
    </span>
  );
}

function Expiry({ of, now }: { readonly of: Connection; readonly now: number }) {
  if (of.connected_at === null) return <>–</>;
  if (of.is_renewable) return <>renewed by itself</>;
  return of.expires_at === null ? <>not known</> : <Ago at={of.expires_at} now={now} />;
}

function StateCells({ of, now }: { readonly of: Connection; readonly now: number }) {
  return (
    <>
      <td data-label="State">
        <State of={of} />
      </td>
      <td data-label="Connected">
        <Ago at={of.connected_at} now={now} />
      </td>
      <td data-label="Expires">
        <Expiry of={of} now={now} />
      </td>
    </>
  );
}

export const listConnections: PageHandler = async ({ rest, viewer, query }) => {
  const own = await rest.get<OwnConnection[]>("/connections");
  const all = viewer.can("gateways.update")
    ? await rest.find<OwnedConnection[]>("/connections/all") ?? []
    : [];
  const now = Date.now();
  return {
    title: "Your connections",
    body: (
      <>
        <PageHead title="Your connections" />
        {own.length === 0
          ? (
            <Empty title="No upstream wants your login">
              <p>
                An upstream where people log in by OAuth appears here. You connect it once with a browser.
              </p>
            </Empty>
          )
          : (
            <table class="cards-on-phone">
              <thead>
                <tr>
                  <th>Upstream</th>
                  <th>State</th>
                  <th>Connected</th>
                  <th>Expires</th>
                  <ActionsHead />
                </tr>
              </thead>
              <tbody>
                {own.map((each) => (
                  <tr>
                    <td>
                      <a href={`connections/${each.gateway_id}`}>{each.gateway_name}</a>
                      {each.connection === "shared" && <span class="about">one login for all callers</span>}
                    </td>
                    <StateCells of={each} now={now} />
                    <td class="right">{each.may_connect && <Buttons of={each} />}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        {all.length > 0 && <All {...{ query, now }} found={partOf(all, query)} />}
      </>
    ),
  };
};

function Buttons({ of }: { readonly of: OwnConnection }) {
  const isThere = of.connected_at !== null;
  return (
    <div class="buttons">
      <PostButton
        path={`connections/${of.gateway_id}`}
        label={isThere ? "Connect again" : "Connect"}
        class="compact"
      />
      {isThere && (
        <PostButton
          path={`connections/${of.gateway_id}/disconnect`}
          label="Disconnect"
          class="compact"
          confirm={{
            question: `Disconnect ${of.gateway_name}?`,
            loss: of.connection === "shared"
              ? "The login of all callers ends. Their calls fail until somebody connects it again."
              : "Your login there ends. Your calls of its tools fail until you connect it again.",
          }}
        />
      )}
    </div>
  );
}

function All({ found: { data, pagination }, query, now }: {
  readonly found: ListPage<OwnedConnection>;
  readonly query: URLSearchParams;
  readonly now: number;
}) {
  return (
    <>
      <h2>Connections of all users</h2>
      <table class="cards-on-phone">
        <thead>
          <tr>
            <th>User</th>
            <th>State</th>
            <th>Connected</th>
            <th>Expires</th>
            <ActionsHead />
          </tr>
        </thead>
        <tbody>
          {data.map((each) => (
            <tr>
              <td>
                <strong>{each.owner ?? "all callers"}</strong>
                <span class="about">at {each.gateway_name}</span>
              </td>
              <StateCells of={each} now={now} />
              <td class="right">
                <PostButton
                  path={`connections/${each.gateway_id}/disconnect`}
                  label="Disconnect"
                  class="compact"
                  fields={each.owner === null ? {} : { owner: each.owner }}
                  confirm={{
                    question: `Disconnect ${each.owner ?? "all callers"} from ${each.gateway_name}?`,
                    loss: "The login ends. Calls that use it fail until somebody connects it again.",
                  }}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <Pages path="connections" query={query} of={pagination} />
    </>
  );
}

export const connectionPage: PageHandler = async ({ rest, params, logins }) => {
  const id = params.id!;
  const own = await rest.get<OwnConnection[]>("/connections");
  const found = own.find(({ gateway_id }) => gateway_id === id);
  if (found === undefined) {
    return {
      title: "There is no such connection",
      status: 404,
      body: (
        <>
          <PageHead title="There is no such connection" />
          <p>The upstream wants no login of yours, or you may not use it.</p>
          <p>
            <a href="connections">To your connections</a>
          </p>
        </>
      ),
    };
  }
  const { gateway_name: name, connection, may_connect: mayConnect } = found;
  const now = Date.now();
  return {
    title: `Connect ${name}`,
    body: (
      <>
        <PageHead title={`Connect ${name}`} crumbs={[{ path: "connections", label: "Your connections" }]} />
        <p>
          {connection === "shared"
            ? `All callers of this gateway use one login at ${name}.`
            : `Calls of tools of ${name} use your own login there. The gateway keeps its tokens sealed, and sends them to ${name} alone.`}
        </p>
        <Facts
          facts={[
            ["State", <State of={found} />],
            ["Connected", <Moment at={found.connected_at} now={now} />],
            ["Expires", <Expiry of={found} now={now} />],
            ["Redirect URI", <code>{logins.redirectUri(id)}</code>],
          ]}
        />
        {mayConnect
          ? <Buttons of={found} />
          : <p>Only somebody who may change this upstream can connect it. Ask an administrator to do it.</p>}
      </>
    ),
  };
};

export const connectUpstream: PageHandler = async ({ params, logins }) => {
  const { url, cookie } = await logins.begin(params.id!);
  return {
    title: "Going to the login",
    isAlone: true,
    goesTo: url,
    cookies: [cookie],
    body: (
      <>
        <h1>Going to the login</h1>
        <p>
          <a href={url}>Go on to {new URL(url).host}</a>
        </p>
      </>
    ),
  };
};

export const finishConnection: PageHandler = async ({ params, logins }) => {
  const { cookie } = await logins.finish(params.id!, params.client ?? null);
  return {
    to: `connections/${params.id!}`,
    cookies: [cookie],
    notice: { text: "Connected. You can go back to your program: a call that waits goes on by itself." },
  };
};

export const disconnectUpstream: PageHandler = async ({ rest, params, form }) => {
  const id = encodeURIComponent(params.id!);
  const owner = (await form()).get("owner");
  const path = owner === null
    ? `/connections/${id}`
    : `/connections/${id}/users/${encodeURIComponent(owner)}`;
  const answer = await rest.attempt("DELETE", path);
  return {
    to: "connections",
    notice: "refused" in answer
      ? { text: answer.refused.text, isFailure: true }
      : { text: "Disconnected. The gateway has forgotten the tokens." },
  };
};
