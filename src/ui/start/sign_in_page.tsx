// Room `start`: the way in, and the first page. This file signs people in and out, makes the first administrator, and sets
// passwords.
import type { PageCall, PageHandler, Redirect, View } from "../call/page_call.ts";
import type { Refusal } from "../call/rest.ts";
import { PAGES_PATH } from "../call/session_cookie.ts";
import { type FormState, NEW_FORM, RefusalBox, TextField } from "../parts/form.tsx";

interface LoginAnswer {
  readonly access_token: string;
  readonly expires_in: number;
}

/** A page of ours: another site's address cannot be given. Relative to `/admin/`. */
export function pageAfterSignIn(next: string | null): string {
  return next !== null && /^[A-Za-z0-9][^:\\]*$/.test(next) && !next.startsWith("sign-") ? next : "";
}

/** How the first administrator is made. */
const HOW_FIRST = (
  <>
    As long as there are none, a start writes a link for the first administrator into its log, in the line
    {" "}
    <code>no users yet</code>. The operator can also make an administrator by{" "}
    <code>sluice user add you@example.com --admin</code>.
  </>
);

export const signInPage: PageHandler = (call) => {
  const { query } = call;
  return Promise.resolve(
    signInView(call, NEW_FORM, query.get("next"), query.has("token") ? "token" : "password"),
  );
};

export const signIn: PageHandler = async (call) => {
  const values = await call.form();
  const next = values.get("next");
  const { token } = Object.fromEntries(values);
  if (token !== undefined) return await signInByToken(call, token.trim(), next);
  const { email = "", password = "" } = Object.fromEntries(values);
  const answer = await call.rest.attempt<LoginAnswer>("POST", "/auth/login", { email, password });
  if ("done" in answer) return signedIn(answer.done, next);
  if (answer.refused.code === "PASSWORD_CHANGE_REQUIRED") {
    const query = new URLSearchParams({ email, required: "", ...(next === null ? {} : { next }) });
    return { to: `change-password?${query}` };
  }
  return signInView(call, { values, refused: answer.refused }, next, "password", 401);
};

async function signInByToken(
  call: PageCall,
  token: string,
  next: string | null,
): Promise<View | Redirect> {
  const found = await call.checkToken(token);
  if ("maxAgeSeconds" in found) {
    return { to: pageAfterSignIn(next), session: { token, maxAgeSeconds: found.maxAgeSeconds } };
  }
  const refused: Refusal = {
    text: `This token does not sign in: ${found.reason}.`,
    code: "UNAUTHENTICATED",
    faults: [],
  };
  return signInView(call, { values: new URLSearchParams(), refused }, next, "token", 401);
}

export const signOut: PageHandler = async ({ rest }) => {
  // A token without an id cannot be revoked; its cookie goes all the same.
  const answer = await rest.attempt<{ readonly logout_url: string | null }>("POST", "/auth/logout");
  const elsewhere = "done" in answer ? answer.done.logout_url : null;
  if (elsewhere === null) return { to: "sign-in", session: null, notice: { text: "You are signed out." } };
  return signedOutView(elsewhere);
};

/**
 * The person goes on to end the session at the identity provider (OpenID Connect RP-Initiated Logout 1.0, section 2). A redirect would not
 * lead there: browsers apply the policy for forms (`form-action`) to what follows a form.
 */
function signedOutView(at: string): View {
  return {
    title: "Signed out",
    endsSession: true,
    goesTo: at,
    body: (
      <>
        <h1>You are signed out here</h1>
        <p>
          <a href={at}>Sign out at {new URL(at).host} too</a>. Otherwise the next sign-in asks for no
          password.
        </p>
        <p class="soft small">
          <a href="sign-in">Sign in again</a>
        </p>
      </>
    ),
  };
}

function signInView(
  { providers, origin, hasUsers, sendsPasswordMail }: Pick<
    PageCall,
    "providers" | "origin" | "hasUsers" | "sendsPasswordMail"
  >,
  form: FormState,
  next: string | null,
  way: "password" | "token",
  status?: number,
): View {
  const page = `${new URL(origin).pathname.replace(/\/$/, "")}${PAGES_PATH}/${pageAfterSignIn(next)}`;
  const after = next === null ? "" : `&next=${encodeURIComponent(next)}`;
  return {
    title: "Sign in",
    status,
    body: (
      <>
        <h1>Sign in to Sluice</h1>
        <p class="soft">The MCP gateway of your organisation.</p>
        {!hasUsers && providers.length === 0 && way === "password" && (
          <p class="soft">
            This gateway has no users yet. {HOW_FIRST}
          </p>
        )}
        <RefusalBox refused={form.refused} shown={["email", "password"]} />
        <form method="post" action="sign-in">
          {next !== null && <input type="hidden" name="next" value={next} />}
          {way === "password"
            ? (
              <>
                <EmailField form={form} />
                <PasswordField name="password" label="Password" form={form} />
              </>
            )
            : (
              <TextField
                {...{ name: "token", label: "Token", form }}
                type="password"
                required
                hint={
                  <>
                    The operator of the gateway makes one:{" "}
                    <code>sluice token --username you@example.com --admin</code>
                  </>
                }
              />
            )}
          <button type="submit" class="main">Sign in</button>
        </form>
        {providers.length > 0 && (
          <p class="buttons">
            {providers.map(({ name, path }) => (
              <a class="button" href={`${path}?next=${encodeURIComponent(page)}`}>Sign in with {name}</a>
            ))}
          </p>
        )}
        {sendsPasswordMail && way === "password" && (
          <p class="small">
            <a href="forgot-password">Forgot the password?</a>
          </p>
        )}
        <p class="soft small">
          {way === "password"
            ? <a href={`sign-in?token${after}`}>Sign in with a token</a>
            : <a href={`sign-in?${after.slice(1)}`}>Sign in with a password</a>}
        </p>
      </>
    ),
  };
}

export const setupPage: PageHandler = ({ hasUsers }) =>
  Promise.resolve(hasUsers ? HAS_FIRST : setupView(NEW_FORM));

const HAS_FIRST: View = {
  title: "The first administrator",
  body: (
    <>
      <h1>The first administrator is here</h1>
      <p>This link was for the first administrator, who has an account already.</p>
      <p>
        <a class="button main" href="sign-in">Sign in</a>
      </p>
    </>
  ),
};

export const setUp: PageHandler = async ({ form, rest }) => {
  const values = await form();
  const { token = "", email = "", password = "" } = Object.fromEntries(values);
  const answer = await rest.attempt<LoginAnswer>("POST", "/auth/setup", { token, email, password });
  if ("refused" in answer) return setupView({ values, refused: answer.refused }, 422);
  return { ...signedIn(answer.done, null), notice: { text: `${email} is the first administrator.` } };
};

function setupView(form: FormState, status?: number): View {
  return {
    title: "The first administrator",
    status,
    body: (
      <>
        <h1>The first administrator</h1>
        <p class="soft">
          This gateway has no users yet. {HOW_FIRST}
        </p>
        <RefusalBox refused={form.refused} shown={["token", "email", "password"]} />
        <form method="post" action="setup">
          <OneTimeTokenField form={form} />
          <EmailField label="Your email address" form={form} />
          <PasswordField name="password" form={form} isNew />
          <button type="submit" class="main">Create account</button>
        </form>
      </>
    ),
  };
}

export const changePasswordPage: PageHandler = ({ query }) =>
  Promise.resolve(changePasswordView({ values: query, refused: null }));

export const changePassword: PageHandler = async ({ form, rest }) => {
  const values = await form();
  const { email = "", old_password = "", new_password = "" } = Object.fromEntries(values);
  const body = { email, old_password, new_password };
  const answer = await rest.attempt("POST", "/auth/change-password", body);
  if ("refused" in answer) return changePasswordView({ values, refused: answer.refused }, 422);
  const login = await rest.attempt<LoginAnswer>("POST", "/auth/login", { email, password: new_password });
  const notice = { text: "The password is changed." };
  return "done" in login
    ? { ...signedIn(login.done, values.get("next")), notice }
    : { to: "sign-in", notice };
};

function changePasswordView(form: FormState, status?: number): View {
  const next = form.values.get("next");
  const isRequired = form.values.has("required");
  return {
    title: "Change password",
    status,
    body: (
      <>
        <h1>Change password</h1>
        <p class="soft">
          {isRequired
            ? "This account needs a new password before it can be used."
            : "Users who sign in at an identity provider change the password there."}
        </p>
        <RefusalBox refused={form.refused} shown={["email", "old_password", "new_password"]} />
        <form method="post" action="change-password">
          {next !== null && <input type="hidden" name="next" value={next} />}
          {isRequired && <input type="hidden" name="required" value="" />}
          <EmailField form={form} />
          <PasswordField name="old_password" label="Current password" form={form} />
          <PasswordField name="new_password" form={form} isNew />
          <button type="submit" class="main">Change password</button>
        </form>
        {!isRequired && (
          <p class="soft small">
            <a href="">To the overview</a>
          </p>
        )}
      </>
    ),
  };
}

export const resetPasswordPage: PageHandler = () => Promise.resolve(resetPasswordView(NEW_FORM));

export const resetPassword: PageHandler = async ({ form, rest }) => {
  const values = await form();
  const { token = "", new_password = "" } = Object.fromEntries(values);
  const answer = await rest.attempt<{ readonly email: string }>("POST", "/auth/reset-password", {
    ...{ token, new_password },
  });
  if ("refused" in answer) return resetPasswordView({ values, refused: answer.refused }, 422);
  return { to: "sign-in", notice: { text: `The password of ${answer.done.email} is set. Sign in with it.` } };
};

function resetPasswordView(form: FormState, status?: number): View {
  return {
    title: "Set your password",
    status,
    body: (
      <>
        <h1>Set your password</h1>
        <p class="soft">The link that led here works once.</p>
        <RefusalBox refused={form.refused} shown={["token", "new_password"]} />
        <form method="post" action="reset-password">
          <OneTimeTokenField form={form} />
          <PasswordField name="new_password" form={form} isNew />
          <button type="submit" class="main">Set password</button>
        </form>
      </>
    ),
  };
}

export function EmailField(
  { form, label = "Email address" }: { readonly form: FormState; readonly label?: string },
) {
  return <TextField {...{ name: "email", label, form }} type="email" required autocomplete="username" />;
}

function PasswordField({ name, form, isNew = false, label = "New password" }: {
  readonly name: string;
  readonly form: FormState;
  /** The user chooses it now. */
  readonly isNew?: boolean;
  readonly label?: string;
}) {
  const autocomplete = isNew ? "new-password" : "current-password";
  return <TextField {...{ name, label, form, autocomplete }} type="password" required />;
}

/** The token of a one-time link, which is behind the `#` of its address. */
function OneTimeTokenField({ form }: { readonly form: FormState }) {
  return <TextField name="token" label="One-time token" required isCode isFromHash form={form} />;
}

function signedIn(
  { access_token: token, expires_in: maxAgeSeconds }: LoginAnswer,
  next: string | null,
): Redirect {
  return { to: pageAfterSignIn(next), session: { token, maxAgeSeconds } };
}
