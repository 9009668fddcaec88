// The page of consent: which client asks, for what, and where the browser goes afterwards.
import type { AuthorizationRequest } from "../../auth/oauth/authorization_request.ts";
import { allowedBy } from "../../auth/permission_table.ts";
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import { Facts } from "../parts/page_parts.tsx";

export const authorizePage: PageHandler = async (call) => {
  const review = await call.authorization.review(call.query);
  if (review.kind === "answered") return { leavesTo: review.url };
  return await consentView(call, review.request, review.allowedBefore);
};

export const decide: PageHandler = async (call) => {
  const values = await call.form();
  const query = new URLSearchParams(values.get("request") ?? "");
  const allows = values.get("decision") === "allow";
  const leavesTo = await call.authorization.decide(query, { allows, permissions: values.getAll("scope") });
  return { leavesTo };
};

async function consentView(
  { viewer, query, rest }: PageCall,
  request: AuthorizationRequest,
  allowedBefore: readonly string[],
): Promise<View> {
  const { client, scopes, resource, redirectHost, isOnThisMachine } = request;
  const serverId = scopes.serverId ?? resource.serverId;
  const server = serverId === null
    ? null
    : await rest.find<{ readonly name: string }>(`/servers/${serverId}`);
  const { protocol, origin } = new URL(request.redirectUri);
  return {
    title: `Allow ${client.name}?`,
    isAlone: true,
    formTarget: /^https?:$/.test(protocol) ? origin : protocol,
    body: (
      <>
        <h1>{`Allow ${client.name}?`}</h1>
        <p>
          {`The application ${client.name} wants to use this gateway as you, ${viewer.email}.`}
        </p>
        <Facts
          facts={[
            [
              "Application",
              client.host === null ? <Unverified name={client.name} /> : (
                <>
                  {`${client.name}, by `}
                  <b>{client.host}</b>
                </>
              ),
            ],
            [
              "Where",
              serverId === null ? "Everything that you see" : (
                <>
                  {"The virtual server "}
                  <b>{server?.name ?? serverId}</b>
                </>
              ),
            ],
            [
              "Sends you back to",
              isOnThisMachine ? `A program on your computer (${redirectHost})` : <b>{redirectHost}</b>,
            ],
            ["Lasts", "Until you disconnect it under “Your applications”"],
          ]}
        />
        {isOnThisMachine && (
          <p class="notice">
            Go on only if you have just started to connect a program on this computer.
          </p>
        )}
        <form method="post" action="authorize">
          <input type="hidden" name="request" value={query.toString()} />
          <fieldset>
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
          {`Not you? `}
          <a href="">To the pages of this gateway</a>, where you can sign out.
        </p>
      </>
    ),
  };
}

/** Registration is open: a name is what its sender has typed. */
function Unverified({ name }: { readonly name: string }) {
  return <>{`It calls itself ${name}. Nobody has checked that.`}</>;
}
