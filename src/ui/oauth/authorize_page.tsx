// The page of consent: which client asks, for what, and where the browser goes afterwards.
import type { AuthorizationRequest } from "../../auth/oauth/authorization_request.ts";
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import { ConsentForm, serverNameOf } from "./consent_form.tsx";

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
  call: PageCall,
  request: AuthorizationRequest,
  allowedBefore: readonly string[],
): Promise<View> {
  const { viewer, query } = call;
  const { client, redirectHost, isOnThisMachine } = request;
  const { protocol } = new URL(request.redirectUri);
  return {
    title: `Allow ${client.name}?`,
    isAlone: true,
    // Browsers apply the policy to every redirect that follows the form, and a client's page may redirect to any site.
    formTarget: /^https?:$/.test(protocol) ? "https: http:" : `https: http: ${protocol}`,
    body: (
      <ConsentForm
        asked={request}
        isProven={!isOnThisMachine}
        email={viewer.email}
        serverName={await serverNameOf(call, request)}
        path="authorize"
        fields={{ request: query.toString() }}
        facts={[[
          "Sends you back to",
          isOnThisMachine ? `A program on your computer (${redirectHost})` : <b>{redirectHost}</b>,
        ]]}
        warning={isOnThisMachine
          ? "Go on only if you have just started to connect a program on this computer."
          : null}
        allowedBefore={allowedBefore}
      />
    ),
  };
}
