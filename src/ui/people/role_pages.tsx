// Roles: the list of all, the form that makes or changes one.
import type { PageCall, PageHandler, View } from "../call/page_call.ts";
import { type FormState, NEW_FORM, PostButton, RefusalBox, SelectField, TextField } from "../parts/form.tsx";
import { Badge, PageHead } from "../parts/page_parts.tsx";
import { isLineChanged, mergedValues, seenIn, SeenValues, UNCHANGED } from "../parts/seen_values.tsx";
import type { Role } from "./people_shapes.ts";

const CRUMBS = [{ path: "roles", label: "Roles" }];

export const listRoles: PageHandler = async ({ rest }) => {
  const roles = await rest.get<Role[]>("/rbac/roles");
  return {
    title: "Roles",
    body: (
      <>
        <PageHead title="Roles">
          <a class="button main" href="roles/new">New role</a>
        </PageHead>
        <p class="lead">
          A role is a list of permissions. A user gets it everywhere, in a team, or on a virtual server.
        </p>
        <table class="cards-on-phone">
          <thead>
            <tr>
              <th>Role</th>
              <th>Scope</th>
              <th>Permissions</th>
            </tr>
          </thead>
          <tbody>
            {roles.map((role) => (
              <tr>
                <td>
                  {role.is_system_role
                    ? <strong>{role.name}</strong>
                    : <a href={`roles/${encodeURIComponent(role.id)}`}>{role.name}</a>}{" "}
                  {role.is_system_role && <Badge mood="plain" label="built in" />}
                  <span class="about">{role.description}</span>
                </td>
                <td data-label="Scope">
                  {{ global: "everywhere", team: "a team", server: "a virtual server" }[role.scope]}
                </td>
                <td data-label="Permissions">
                  <details>
                    <summary>{role.permissions.includes("*") ? "all" : role.permissions.length}</summary>
                    <span class="small">{role.permissions.join(", ")}</span>
                  </details>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </>
    ),
  };
};

export const newRolePage: PageHandler = (call) => roleView(call, NEW_FORM, null);

export const addRole: PageHandler = async (call) => {
  const values = await call.form();
  const answer = await call.rest.attempt<Role>("POST", "/rbac/roles", {
    ...roleIn(values),
    scope: values.get("scope") ?? "team",
  });
  if ("refused" in answer) return await roleView(call, { values, refused: answer.refused }, null, 422);
  return { to: "roles", notice: { text: `The role ${answer.done.name} is created.` } };
};

export const rolePage: PageHandler = async (call) => {
  const role = await roleOf(call);
  return await roleView(call, { values: valuesOf(role), refused: null }, role);
};

export const changeRole: PageHandler = async (call) => {
  const role = await roleOf(call);
  const values = await call.form();
  const path = `/rbac/roles/${encodeURIComponent(role.id)}`;
  const current = valuesOf(role);
  const seen = seenIn(values, current);
  const changed = ["name", "description"].filter((name) => isLineChanged(name, { sent: values, seen }));
  const permissions = mergedValues({
    sent: values.getAll("permissions"),
    seen: seen.getAll("permissions"),
    current: role.permissions,
  });
  const changes = {
    ...Object.fromEntries(changed.map((name) => [name, values.get(name) ?? ""])),
    ...(permissions === null ? {} : { permissions }),
  };
  if (Object.keys(changes).length === 0) return { to: "roles", notice: UNCHANGED };
  const answer = await call.rest.attempt<Role>("PUT", path, changes);
  if ("refused" in answer) return await roleView(call, { values, refused: answer.refused }, role, 422);
  return { to: "roles", notice: { text: `The role ${answer.done.name} is changed.` } };
};

export const deleteRole: PageHandler = async (call) => {
  const { id, name } = await roleOf(call);
  await call.rest.send("DELETE", `/rbac/roles/${encodeURIComponent(id)}`);
  return { to: "roles", notice: { text: `The role ${name} is deleted.` } };
};

async function roleOf({ rest, params }: PageCall): Promise<Role> {
  return await rest.get<Role>(`/rbac/roles/${encodeURIComponent(params.role!)}`);
}

function valuesOf({ name, description, permissions }: Role): URLSearchParams {
  return new URLSearchParams([
    ["name", name],
    ["description", description],
    ...permissions.map((permission) => ["permissions", permission]),
  ]);
}

function roleIn(values: URLSearchParams) {
  return {
    name: values.get("name") ?? "",
    description: values.get("description") ?? "",
    permissions: values.getAll("permissions"),
  };
}

const SCOPES = [
  { value: "team", label: "A team" },
  { value: "server", label: "A virtual server" },
  { value: "global", label: "Everywhere" },
];

async function roleView(
  { rest }: PageCall,
  form: FormState,
  role: Role | null,
  status?: number,
): Promise<View> {
  const { permissions_by_resource: byKind } = await rest.get<
    { permissions_by_resource: Readonly<Record<string, readonly string[]>> }
  >("/rbac/permissions/available");
  const chosen = form.values.getAll("permissions");
  const title = role === null ? "New role" : role.name;
  return {
    title,
    status,
    body: (
      <>
        <PageHead title={title} crumbs={CRUMBS}>
          {role !== null && (
            <PostButton
              path={`roles/${encodeURIComponent(role.id)}/delete`}
              label="Delete"
              class="danger"
              confirm={{
                question: `Delete the role ${role.name}?`,
                loss: "Users who have the role lose it.",
              }}
            />
          )}
        </PageHead>
        <RefusalBox refused={form.refused} shown={["name", "description", "scope", "permissions"]} />
        <form
          class="form"
          method="post"
          action={role === null ? "roles/new" : `roles/${encodeURIComponent(role.id)}`}
        >
          {role !== null && <SeenValues form={form} values={valuesOf(role)} />}
          <TextField {...{ name: "name", label: "Name", form }} required />
          <TextField {...{ name: "description", label: "Description", form }} />
          {role === null && <SelectField {...{ name: "scope", label: "Scope", form, options: SCOPES }} />}
          {Object.entries(byKind).map(([kind, permissions]) => (
            <fieldset class="field">
              <legend>{kind[0]!.toUpperCase() + kind.slice(1)}</legend>
              <div class="choices">
                {permissions.map((permission) => (
                  <label class="choice">
                    <input
                      {...{ type: "checkbox", name: "permissions", value: permission }}
                      checked={chosen.includes(permission)}
                    />
                    <code>{permission}</code>
                  </label>
                ))}
              </div>
            </fieldset>
          ))}
          <div class="buttons">
            <button type="submit" class="main">{role === null ? "Create role" : "Save"}</button>
            <a class="button" href="roles">Cancel</a>
          </div>
        </form>
      </>
    ),
  };
}
