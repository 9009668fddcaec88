// The viewer's connected applications: OAuth clients that may act for the viewer, and the button that ends it.
import { allowedBy, isPermission } from "../../auth/permission_table.ts";
import type { PageHandler } from "../call/page_call.ts";
import { PostButton } from "../parts/form.tsx";
import { ActionsHead, Ago, Empty, PageHead } from "../parts/page_parts.tsx";

interface Application {
  readonly id: string;
  readonly client_name: string;
  readonly client_host: string | null;
  readonly resource: string;
  readonly scopes: readonly string[];
  readonly created_at: string;
  readonly last_used: string | null;
}

export const listApplications: PageHandler = async ({ rest }) => {
  const applications = await rest.get<Application[]>("/oauth/applications");
  const now = Date.now();
  return {
    title: "Your applications",
    body: (
      <>
        <PageHead title="Your applications" />
        {applications.length === 0
          ? (
            <Empty title="No application yet">
              <p>
                A client that you give the gateway's address can ask you here for permission. It then appears
                in this list.
              </p>
              <div class="buttons">
                <a class="button main" href="connect">Connect a client</a>
              </div>
            </Empty>
          )
          : (
            <table class="cards-on-phone">
              <thead>
                <tr>
                  <th>Application</th>
                  <th>It may</th>
                  <th>Last used</th>
                  <ActionsHead />
                </tr>
              </thead>
              <tbody>
                {applications.map((each) => (
                  <tr>
                    <td>
                      <strong>{each.client_name}</strong>
                      {each.client_host !== null && <span class="about">{each.client_host}</span>}
                      <span class="about">{each.resource}</span>
                    </td>
                    <td data-label="It may">
                      {each.scopes.map((scope) => isPermission(scope) ? allowedBy(scope) : scope).join("; ")}
                    </td>
                    <td data-label="Last used">
                      <span>
                        <Ago at={each.last_used} now={now} />
                        <span class="note">
                          connected <Ago at={each.created_at} now={now} />
                        </span>
                      </span>
                    </td>
                    <td class="right">
                      <PostButton
                        path={`applications/${each.id}/disconnect`}
                        label="Disconnect"
                        class="compact"
                        confirm={{
                          question: `Disconnect ${each.client_name}?`,
                          loss: "Its access ends at once, and it has to ask you again.",
                        }}
                      />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
      </>
    ),
  };
};

export const disconnect: PageHandler = async ({ rest, params }) => {
  const answer = await rest.attempt("DELETE", `/oauth/applications/${encodeURIComponent(params.id!)}`);
  return {
    to: "applications",
    notice: "refused" in answer
      ? { text: answer.refused.text, isFailure: true }
      : { text: "The application is disconnected." },
  };
};
