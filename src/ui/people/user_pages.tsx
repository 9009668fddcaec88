// Users: their list, the form that makes one, and the page of one with its roles.
import type { PageCall, PageHandler, Redirect, View } from "../call/page_call.ts";
import type { Refusal } from "../call/rest.ts";
import { ChoicePicker } from "../parts/choice_picker.tsx";
import {
  CheckField,
  type FormState,
  NEW_FORM,
  PostButton,
  RefusalBox,
  SelectField,
  TextField,
} from "../parts/form.tsx";
import { ActionsHead, Ago, Badge, Empty, Facts, Moment, NextPage, PageHead } from "../parts/page_parts.tsx";
import { linkView } from "./password_link.tsx";
import type { Assignment, Role, User } from "./people_shapes.ts";
import { EVERYWHERE, findPlaces, placeOf, placeValue, readPlace } from "./place_picker.tsx";
import { CRUMBS, pagePathOf, restPathOf, USERS } from "./user_paths.ts";

export const listUsers: PageHandler = async ({ rest, query }) => {
  const asked = new URLSearchParams({ limit: "50", include_pagination: "true" });
  const from = query.get("from")?.trim().toLowerCase() ?? "";
  const cursor = from === "" ? query.get("cursor") : justBefore(from);
  if (cursor !== null) asked.set("cursor", cursor);
  const { users, nextCursor } = await rest.get<{ users: User[]; nextCursor: string | null }>(
    `${USERS}?${asked}`,
  );
  const now = Date.now();
  const add = <a class="button main" href="users/new">Add a user</a>;
  const isAll = cursor === null && nextCursor === null;
  return {
    title: "Users",
    body: (
      <>
        <PageHead title="Users">{(users.length > 0 || !isAll) && add}</PageHead>
        {!isAll && (
          <form class="filters" role="search" action="users">
            <label class="sr-only" for="from">Go to an email address</label>
            <input
              {...{ id: "from", name: "from", type: "search", placeholder: "Go to an email address" }}
              maxlength={254}
              value={from}
              autocomplete="off"
            />
            <button type="submit">Show</button>
          </form>
        )}
        {users.length === 0 && !isAll && (
          <p class="soft">
            No email address comes after it. <a href="users">Show all</a>
          </p>
        )}
        {users.length === 0 && isAll
          ? (
            <Empty title="No users yet">
              <p>
                People sign in with a password, or by your identity provider. Programs take tokens and need no
                user.
              </p>
              <div class="buttons">{add}</div>
            </Empty>
          )
          : users.length > 0 && (
            <table class="cards-on-phone">
              <thead>
                <tr>
                  <th>User</th>
                  <th>State</th>
                  <th>Signs in by</th>
                  <th>Last login</th>
                </tr>
              </thead>
              <tbody>
                {users.map((user) => (
                  <tr>
                    <td>
                      <a href={pagePathOf(user.email)}>{user.email}</a>
                      {user.full_name !== null && <span class="about">{user.full_name}</span>}
                    </td>
                    <td data-label="State">
                      <UserState user={user} />
                    </td>
                    <td data-label="Signs in by">
                      {user.auth_provider === "local" ? "password" : user.auth_provider}
                    </td>
                    <td data-label="Last login">
                      <Ago at={user.last_login} now={now} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        <NextPage
          at={nextCursor === null ? null : `users?cursor=${encodeURIComponent(nextCursor)}`}
          label="Next"
        />
      </>
    ),
  };
};

/** The cursor of a list that begins with this email address, or with the next one: a text that nothing stands between. */
function justBefore(email: string): string {
  const last = email.codePointAt(email.length - 1)!;
  return email.slice(0, -1) + String.fromCodePoint(Math.max(last - 1, 1), 0x10ffff);
}

function UserState({ user: { is_active, is_locked, is_admin } }: { readonly user: User }) {
  return (
    <span>
      {!is_active
        ? <Badge mood="plain" label="deactivated" />
        : is_locked
        ? <Badge mood="warn" label="locked" />
        : <Badge mood="good" label="active" />}
      {is_admin && (
        <>
          {" "}
          <Badge mood="plain" label="administrator" />
        </>
      )}
    </span>
  );
}

export const newUserPage: PageHandler = () => Promise.resolve(newUserView(NEW_FORM));

/** Without a password the new user sets one by a one-time link. */
export const addUser: PageHandler = async (call) => {
  const { form, rest } = call;
  const values = await form();
  const { email = "", full_name = "", password = "" } = Object.fromEntries(values);
  const isAdmin = values.has("is_admin");
  const byLink = password === "";
  const answer = await rest.attempt<User>("POST", USERS, {
    email,
    ...(full_name.trim() === "" ? {} : { full_name }),
    password: byLink ? randomPassword() : password,
    is_admin: isAdmin,
    password_change_required: !byLink && values.has("password_change_required"),
  });
  if ("refused" in answer) return newUserView({ values, refused: answer.refused }, 422);
  if (!byLink) {
    return { to: pagePathOf(answer.done.email), notice: { text: `${answer.done.email} is added.` } };
  }
  return await linkView(call, answer.done);
};

/** Nobody ever sees it: the link replaces it. */
function randomPassword(): string {
  return crypto.getRandomValues(new Uint8Array(48)).toBase64();
}

function newUserView(form: FormState, status?: number): View {
  return {
    title: "Add a user",
    status,
    body: (
      <>
        <PageHead title="Add a user" crumbs={CRUMBS} />
        <RefusalBox refused={form.refused} shown={["email", "full_name", "password"]} />
        <form class="form" method="post" action="users/new">
          <TextField {...{ name: "email", label: "Email address", form }} type="email" required />
          <TextField {...{ name: "full_name", label: "Name", form }} />
          <TextField
            {...{ name: "password", label: "Password", form }}
            type="password"
            autocomplete="new-password"
            hint="Leave it empty to get a one-time link, with which the user sets a password."
          />
          <CheckField
            {...{
              name: "password_change_required",
              label: "The user changes the password at the first login",
              form,
            }}
            initial
          />
          <CheckField
            {...{ name: "is_admin", label: "Administrator", form }}
            hint="Sees and changes everything. Others get roles on their page."
          />
          <div class="buttons">
            <button type="submit" class="main">Add</button>
            <a class="button" href="users">Cancel</a>
          </div>
        </form>
      </>
    ),
  };
}

export const userPage: PageHandler = (call) => userView(call, NEW_FORM);

async function userView(call: PageCall, form: FormState, status?: number): Promise<View> {
  const { rest, params, viewer } = call;
  const user = await rest.get<User>(restPathOf(params.email!));
  const assignments = await rest.get<Assignment[]>(`/rbac/users/${encodeURIComponent(user.email)}/roles`);
  const roles = await rest.get<Role[]>("/rbac/roles");
  const places = await Promise.all(assignments.map((assignment) => readPlace(rest, assignment)));
  const path = pagePathOf(user.email);
  const now = Date.now();
  return {
    title: user.email,
    status,
    body: (
      <>
        <PageHead title={user.email} crumbs={CRUMBS}>
          <UserState user={user} />
          {user.is_locked && <PostButton path={`${path}/unlock`} label="Unlock" />}
          {user.auth_provider === "local" && <PostButton path={`${path}/link`} label="New password link" />}
          {user.email !== viewer.email && (
            <>
              <PostButton
                path={`${path}/change`}
                label={user.is_active ? "Deactivate" : "Activate"}
                fields={{ is_active: String(!user.is_active) }}
              />
              <PostButton
                path={`${path}/delete`}
                label="Delete"
                class="danger"
                confirm={{
                  question: `Delete ${user.email}?`,
                  loss: "The roles and tokens of this user are lost.",
                }}
              />
            </>
          )}
        </PageHead>
        <Facts
          facts={[
            ["Name", user.full_name],
            ["Signs in by", user.auth_provider === "local" ? "password" : user.auth_provider],
            ["Last login", <Moment at={user.last_login} now={now} />],
            ["Created", <Moment at={user.created_at} now={now} />],
            ["Lock ends", user.is_locked ? <Moment at={user.locked_until} now={now} /> : null],
          ]}
        />
        {user.email !== viewer.email && (
          <div class="buttons">
            <PostButton
              path={`${path}/change`}
              label={user.is_admin ? "Remove administrator rights" : "Make administrator"}
              class="compact"
              fields={{ is_admin: String(!user.is_admin) }}
            />
          </div>
        )}
        <h2>Roles</h2>
        {user.is_admin && <p class="soft">An administrator may do everything, whatever the roles say.</p>}
        {assignments.length === 0
          ? !user.is_admin && <p class="soft">None: this user may do only what everybody may.</p>
          : (
            <table class="cards-on-phone">
              <thead>
                <tr>
                  <th>Role</th>
                  <th>Scope</th>
                  <th>Expires</th>
                  <ActionsHead />
                </tr>
              </thead>
              <tbody>
                {assignments.map((assignment, i) => (
                  <tr>
                    <td>
                      <strong>{assignment.role_name ?? assignment.role_id}</strong>{" "}
                      {!assignment.is_active && <Badge mood="plain" label="has ended" />}
                    </td>
                    <td data-label="Scope" class="long">{places[i]!.label}</td>
                    <td data-label="Expires">
                      {assignment.expires_at === null
                        ? "never"
                        : <Ago at={assignment.expires_at} now={now} />}
                    </td>
                    <td class="right">
                      <PostButton
                        path={`${path}/roles/revoke`}
                        label="Remove"
                        class="compact"
                        fields={{
                          role: assignment.role_id,
                          place: placeValue(assignment),
                          expires_at: assignment.expires_at ?? "",
                        }}
                      />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        <h3>Assign a role</h3>
        <RefusalBox refused={form.refused} shown={["role_id", "place", "expires_at"]} />
        <form class="form" method="post" action={`${path}/roles`}>
          <SelectField
            {...{ name: "role_id", label: "Role", form }}
            required
            options={[
              { value: "", label: "Choose a role" },
              ...roles.map(({ id, name, description }) => ({ value: id, label: `${name}: ${description}` })),
            ]}
          />
          <ChoicePicker
            {...{ name: "place", label: "Scope", fixed: [EVERYWHERE], path: "users/places" }}
            noun="a team or a virtual server"
            chosen={await readPlace(rest, placeOf(form.values.get("place")))}
            found={await findPlaces(rest, "")}
          />
          <TextField
            {...{ name: "expires_at", label: "Expires (UTC, optional)", form, type: "datetime-local" }}
            hint="Without a time the role stays until it is removed."
          />
          <div class="buttons">
            <button type="submit" class="main">Assign role</button>
          </div>
        </form>
      </>
    ),
  };
}

export const giveRole: PageHandler = async (call) => {
  const { params, form, rest } = call;
  const values = await form();
  const until = values.get("expires_at")?.trim() ?? "";
  const answer = await rest.attempt("POST", `/rbac/users/${encodeURIComponent(params.email!)}/roles`, {
    ...{ role_id: values.get("role_id") ?? "", ...placeOf(values.get("place")) },
    // The field of a browser has minutes and no time zone; Undo sends a whole moment.
    ...(until === "" ? {} : { expires_at: until.replace(/T\d\d:\d\d$/, "$&:00Z") }),
  });
  if ("refused" in answer) return await userView(call, { values, refused: answer.refused }, 422);
  return { to: pagePathOf(params.email!), notice: { text: "The role is assigned." } };
};

export const takeRole: PageHandler = async ({ params, form, rest }) => {
  const { role = "", place = "", expires_at = "" } = Object.fromEntries(await form());
  const { scope, scope_id: id } = placeOf(place);
  const query = new URLSearchParams({ scope, scope_id: id ?? "" });
  await rest.send(
    "DELETE",
    `/rbac/users/${encodeURIComponent(params.email!)}/roles/${encodeURIComponent(role)}?${query}`,
  );
  return {
    to: pagePathOf(params.email!),
    notice: {
      text: "The role is removed.",
      undo: {
        path: `${pagePathOf(params.email!)}/roles`,
        fields: { role_id: role, place, expires_at },
      },
    },
  };
};

export const changeUser: PageHandler = async ({ params, form, rest }) => {
  const changes = Object.fromEntries([...await form()].map(([name, value]) => [name, value === "true"]));
  const answer = await rest.attempt<User>("PATCH", restPathOf(params.email!), changes);
  if ("refused" in answer) return refusedChange(params.email!, answer.refused);
  const before = Object.fromEntries(Object.entries(changes).map(([name, value]) => [name, String(!value)]));
  return {
    to: pagePathOf(params.email!),
    notice: {
      text: `${params.email} is changed.`,
      undo: { path: `${pagePathOf(params.email!)}/change`, fields: before },
    },
  };
};

function refusedChange(email: string, { text }: Refusal): Redirect {
  return { to: pagePathOf(email), notice: { text, isFailure: true } };
}

export const unlockUser: PageHandler = async ({ params, rest }) => {
  await rest.send("POST", `${restPathOf(params.email!)}/unlock`);
  return { to: pagePathOf(params.email!), notice: { text: `${params.email} is unlocked.` } };
};

export const deleteUser: PageHandler = async ({ params, rest }) => {
  const answer = await rest.attempt("DELETE", restPathOf(params.email!));
  if ("refused" in answer) return refusedChange(params.email!, answer.refused);
  return { to: "users", notice: { text: `${params.email} is deleted.` } };
};
