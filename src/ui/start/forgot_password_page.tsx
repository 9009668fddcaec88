// The way to a new password for somebody who has forgotten it: a link by mail.
import type { PageHandler, View } from "../call/page_call.ts";
import { type FormState, NEW_FORM, RefusalBox } from "../parts/form.tsx";
import { EmailField } from "./sign_in_page.tsx";

export const forgotPasswordPage: PageHandler = ({ sendsPasswordMail }) =>
  Promise.resolve(sendsPasswordMail ? askView(NEW_FORM) : NO_MAIL);

export const forgotPassword: PageHandler = async ({ form, rest }) => {
  const values = await form();
  const email = values.get("email") ?? "";
  const answer = await rest.attempt("POST", "/auth/email/forgot-password", { email });
  return "refused" in answer ? askView({ values, refused: answer.refused }, 422) : SENT;
};

function askView(form: FormState, status?: number): View {
  return {
    title: "Forgot the password",
    status,
    body: (
      <>
        <h1>Forgot the password</h1>
        <p class="soft">You get a mail with a link that sets a new one.</p>
        <RefusalBox refused={form.refused} shown={["email"]} />
        <form method="post" action="forgot-password">
          <EmailField form={form} />
          <button type="submit" class="main">Send the link</button>
        </form>
        <BackToSignIn />
      </>
    ),
  };
}

/** The same for every address. */
const SENT: View = {
  title: "Look into your mail",
  body: (
    <>
      <h1>Look into your mail</h1>
      <p>
        If there is a user with this address and a password, a link is on its way. Without a mail in a few
        minutes, ask an administrator.
      </p>
      <BackToSignIn />
    </>
  ),
};

const NO_MAIL: View = {
  title: "Forgot the password",
  status: 404,
  body: (
    <>
      <h1>Forgot the password</h1>
      <p>This gateway sends no mail. Ask an administrator for a link that sets a new password.</p>
      <BackToSignIn />
    </>
  ),
};

function BackToSignIn() {
  return (
    <p class="soft small">
      <a href="sign-in">Sign in</a>
    </p>
  );
}
