// Logins of terminals: the person types the code that the terminal shows, and allows the client.
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import { type FormState, RefusalBox, TextField } from "../parts/form.tsx";
import { refusalOf } from "../call/rest.ts";
import { SluiceError } from "../../base/errors.ts";
import { ConsentForm, serverNameOf } from "./consent_form.tsx";

export const devicePage: PageHandler = async (call) => {
  const code = call.query.get("user_code");
  if (code === null || code === "") return codeView({ values: call.query, refused: null });
  try {
    const asked = await call.authorization.reviewDevice(code);
    return {
      title: `Allow ${asked.client.name}?`,
      isAlone: true,
      body: (
        <ConsentForm
          asked={asked}
          isProven={false}
          email={call.viewer.email}
          serverName={await serverNameOf(call, asked)}
          path="device"
          fields={{ user_code: code }}
          facts={[["Code", <code>{code.slice(0, 20).toUpperCase()}</code>]]}
          warning="Go on only if your own terminal shows this code. Somebody who sent you the code or a link wants your access."
          allowedBefore={[]}
        />
      ),
    };
  } catch (error) {
    return refusedView(call, error);
  }
};

export const decideDevice: PageHandler = async (call) => {
  const values = await call.form();
  const decision = { allows: values.get("decision") === "allow", permissions: values.getAll("scope") };
  try {
    const outcome = await call.authorization.decideDevice(values.get("user_code") ?? "", decision);
    return {
      to: "applications",
      notice: outcome === "allowed"
        ? { text: "The application is connected. Go back to your terminal." }
        : { text: "The application is not connected.", isFailure: true },
    };
  } catch (error) {
    return refusedView(call, error);
  }
};

/** A code that is not known is typed again; every other failure is the page's. */
function refusedView({ query }: PageCall, error: unknown): View {
  if (!(error instanceof SluiceError) || error.code !== "NOT_FOUND") throw error;
  return codeView({ values: query, refused: refusalOf(error) }, 404);
}

function codeView(form: FormState, status?: number): View {
  return {
    title: "Connect a terminal",
    status,
    body: (
      <>
        <h1>Connect a terminal</h1>
        <p class="soft">A program in a terminal shows you a code of eight letters, such as BCDF-GHJK.</p>
        <RefusalBox refused={form.refused} shown={[]} />
        <form method="get" action="device">
          <TextField name="user_code" label="Code" form={form} required isCode />
          <button type="submit" class="main">Go on</button>
        </form>
      </>
    ),
  };
}
