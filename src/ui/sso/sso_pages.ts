// Pages of sign-in at identity providers: the providers, and what went wrong with what to do.
import { html } from "../../admin/pages/html.ts";
import { type Page, page } from "../../admin/pages/html_page.ts";

export interface SignInFailure {
  /** The sentence of the error table. */
  readonly message: string;
  readonly code: string;
  readonly correlationId: string;
  /** Where a further attempt starts; null: there is nothing to try again. */
  readonly again: string | null;
}

export function signInFailurePage({ message, code, correlationId, again }: SignInFailure): Promise<Page> {
  return page(
    "Sign-in did not work",
    html`
      <main class="narrow">
        <h1>Sign-in did not work</h1>
        <p>${message}.</p>
        ${again === null ? null : html`<p><a href="${again}">Try again</a></p>`}
        <h2>For the operator</h2>
        <p>The gateway's log has the cause under this id. <code>sluice help errors</code> explains the code.</p>
        <dl class="facts">
          <dt>Correlation id</dt>
          <dd><code>${correlationId}</code></dd>
          <dt>Code</dt>
          <dd><code>${code}</code></dd>
        </dl>
      </main>
    `,
  );
}

/** @param providers with the address where a sign-in starts */
export function providersPage(
  providers: readonly { readonly name: string; readonly at: string }[],
): Promise<Page> {
  return page(
    "Sign in",
    html`
      <main class="narrow">
        <h1>Sign in</h1>
        ${providers.length === 0
          ? html`<p>The operator of this gateway has set up no provider (SSO_PROVIDERS).</p>`
          : html`<ul>${providers.map(({ name, at }) => html`<li><a href="${at}">${name}</a></li>`)}</ul>`}
      </main>
    `,
  );
}
