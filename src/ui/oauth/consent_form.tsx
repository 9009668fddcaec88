// What every page of consent shows: the client, the place, what the client may do, and the two buttons.
import type { Child } from "hono/jsx";
import type { Client } from "../../auth/oauth/clients/client.ts";
import type { Resource } from "../../auth/oauth/resources.ts";
import type { Scopes } from "../../auth/oauth/scopes.ts";
import { allowedBy } from "../../auth/permission_table.ts";
import type { PageCall } from "../call/page_call.ts";
import { Facts } from "../parts/page_parts.tsx";

export interface Asked {
  readonly client: Client;
  readonly resource: Resource;
  readonly scopes: Scopes;
}

/** The name of the virtual server that a client asks for; null: it asks for everything. */
export async function serverNameOf(
  { rest }: Pick<PageCall, "rest">,
  { resource, scopes }: Asked,
): Promise<string | null> {
  const serverId = scopes.serverId ?? resource.serverId;
  if (serverId === null) return null;
  const server = await rest.find<{ readonly name: string }>(`/servers/${encodeURIComponent(serverId)}`);
  return server?.name ?? serverId;
}

export function ConsentForm(
  { asked, isProven, email, serverName, path, fields, facts, warning, allowedBefore }: {
    readonly asked: Asked;
    /** Does only the site of the client's metadata document get the answer? */
    readonly isProven: boolean;
    readonly email: string;
    readonly serverName: string | null;
    /** Where the form goes, relative to `/admin/`. */
    readonly path: string;
    readonly fields: Readonly<Record<string, string>>;
    readonly facts: readonly (readonly [string, Child])[];
    /** null: there is nothing to warn of. */
    readonly warning: string | null;
    readonly allowedBefore: readonly string[];
  },
) {
  const { client, scopes } = asked;
  return (
    <>
      <h1>{`Allow ${client.name}?`}</h1>
      <p>{`The application ${client.name} wants to use this gateway as you, ${email}.`}</p>
      <Facts
        facts={[
          [
            "Application",
            <Application client={client} isProven={isProven} />,
          ],
          [
            "Where",
            serverName === null ? "Everything that you see" : (
              <>
                {"The virtual server "}
                <b>{serverName}</b>
              </>
            ),
          ],
          ...facts,
          ["Lasts", "Until you disconnect it under “Your applications”"],
        ]}
      />
      {warning !== null && <p class="notice warn">{warning}</p>}
      <form method="post" action={path}>
        {Object.entries(fields).map(([name, value]) => <input type="hidden" name={name} value={value} />)}
        <fieldset class="field">
          <legend>It may</legend>
          {scopes.permissions.map((permission) => (
            <div class="choice">
              <input type="checkbox" id={`scope-${permission}`} name="scope" value={permission} checked />
              <label for={`scope-${permission}`}>
                {allowedBy(permission)}
                {allowedBefore.length > 0 && !allowedBefore.includes(permission) && " (new)"}
              </label>
            </div>
          ))}
        </fieldset>
        <p class="soft small">It can never do more than you may.</p>
        <div class="buttons">
          <button type="submit" class="main" name="decision" value="allow">Allow</button>
          <button type="submit" name="decision" value="deny">Cancel</button>
        </div>
      </form>
      <p class="soft small">
        {"Not you? "}
        <a href="">To the pages of this gateway</a>, where you can sign out.
      </p>
    </>
  );
}

function Application({ client: { name, host }, isProven }: {
  readonly client: Client;
  readonly isProven: boolean;
}) {
  // Registration is open: a name is what its sender has typed.
  if (host === null) return <>{`It calls itself ${name}. Nobody has checked that.`}</>;
  if (!isProven) {
    return <>{`It calls itself ${name}, by ${host}. A program on a computer cannot prove that.`}</>;
  }
  return (
    <>
      {`${name}, by `}
      <b>{host}</b>
    </>
  );
}
