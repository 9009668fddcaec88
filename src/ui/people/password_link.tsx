// A link with which a user sets a password, as an administrator makes it.
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import { CopyText, Moment, PageHead } from "../parts/page_parts.tsx";
import type { User } from "./people_shapes.ts";
import { CRUMBS, pagePathOf, restPathOf } from "./user_paths.ts";

export const makeLink: PageHandler = async (call) => {
  return await linkView(call, await call.rest.get<User>(restPathOf(call.params.email!)));
};

/** Shown once: only its hash is kept. */
export async function linkView({ rest, origin }: PageCall, { email }: User): Promise<View> {
  const made = await rest.send<{ link: string; expires_at: string }>(
    "POST",
    `${restPathOf(email)}/reset-password`,
  );
  return {
    title: "A link for a new password",
    body: (
      <>
        <PageHead
          title="A link for a new password"
          crumbs={[...CRUMBS, { path: pagePathOf(email), label: email }]}
        />
        <p>
          Give this link to {email}. It works once, ends{" "}
          <Moment at={made.expires_at} now={Date.now()} />, and is not shown again.
        </p>
        <CopyText id="link" text={origin + made.link} />
        <p>
          <a class="button" href={pagePathOf(email)}>Done</a>
        </p>
      </>
    ),
  };
}
