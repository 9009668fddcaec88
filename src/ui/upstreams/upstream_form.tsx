// The form of an upstream: its fields. `upstream_body.ts` has what they say in the words of the REST API.
import type { Child } from "hono/jsx";
import type { PageHandler } from "../call/page_call.ts";
import type { Rest } from "../call/rest.ts";
import {
  ChoicePicker,
  type ChoicePickerProps,
  type FoundOptions,
  foundView,
} from "../parts/choice_picker.tsx";
import { type FormState, type Option, SelectField, TextField } from "../parts/form.tsx";
import { AwsFields } from "./aws_fields.tsx";
import { CertificateFields } from "./certificate_fields.tsx";
import { OAuthFields } from "./oauth_fields.tsx";
import { findSharedTeams, type Named, nameOf } from "../people/place_search.ts";
import { AUTH_FIELDS, TEAM, type Way } from "./upstream_body.ts";

/** Stands for a stored secret, as in the REST API. */
const MASK = "*****";

const AUTH_TYPES: readonly Option[] = [
  { value: "none", label: "None" },
  { value: "bearer", label: "Bearer token" },
  { value: "basic", label: "User name and password" },
  { value: "authheaders", label: "Headers" },
  { value: "query_param", label: "A query parameter of the URL" },
  { value: "oauth", label: "A login by OAuth" },
  { value: "aws_sigv4", label: "A signature for AWS" },
];

const TRANSPORTS: readonly Option[] = [
  { value: "", label: "Automatic: streamable HTTP, else SSE" },
  { value: "STREAMABLEHTTP", label: "Streamable HTTP" },
  { value: "SSE", label: "SSE" },
  { value: "WEBSOCKET", label: "WebSocket" },
];

const ISOLATIONS: readonly Option[] = [
  { value: "session", label: "Each client session has its own" },
  { value: "caller", label: "Each caller has one" },
  { value: "shared", label: "Everybody shares one" },
];

const APPROVALS: readonly Option[] = [
  { value: "", label: "As the setting TOOL_APPROVAL says" },
  { value: "off", label: "Nothing waits" },
  { value: "changed", label: "What it adds or changes later" },
  { value: "all", label: "Everything, from its first list" },
];

/** The fields that a page shows a fault beside. */
export const SHOWN_FIELDS = [
  ...["name", "url", "description", "command", "args", "env", "cwd", "transport", "auth_type"],
  ...Object.values(AUTH_FIELDS).flat(),
  ...[
    "ca_certificate",
    "client_cert",
    "client_key",
    "passthrough_headers",
    "isolation",
    "tool_approval",
    "tags",
  ],
  "refresh_interval_seconds",
];

const RARE_FIELDS = SHOWN_FIELDS.slice(SHOWN_FIELDS.indexOf("ca_certificate"));

export interface UpstreamFieldsProps {
  readonly form: FormState;
  readonly way: Way;
  readonly visibility: VisibilityChoice;
  readonly isNew: boolean;
}

export function UpstreamFields({ form, way, visibility, isNew }: UpstreamFieldsProps) {
  const isRareFaulty = form.refused?.faults.some(({ loc }) => RARE_FIELDS.includes(String(loc[1]))) === true;
  return (
    <>
      {way === "address" ? <AddressFields {...{ form, isNew }} /> : <CommandFields {...{ form, isNew }} />}
      <details class="field" open={!isNew || isRareFaulty}>
        <summary>More</summary>
        {way === "address" && (
          <>
            {isNew && (
              <SelectField {...{ name: "transport", label: "Transport", form, options: TRANSPORTS }} />
            )}
            <CertificateFields {...{ form, isNew }} />
            <TextField
              {...{ name: "passthrough_headers", label: "Headers of clients that it gets", form }}
              isCode
              hint="Names, separated by commas. Empty: those of the gateway's setting."
            />
          </>
        )}
        <SelectField
          {...{ name: "isolation", label: "Sessions", form, options: ISOLATIONS }}
          hint="A session, process or socket of the upstream. Who shares one meets what others left in it."
        />
        <SelectField
          {...{ name: "tool_approval", label: "Changes that wait for an approval", form, options: APPROVALS }}
        />
        <ChoicePicker
          {...{ name: "visibility", label: "Visibility", fixed: VISIBILITIES, path: "upstreams/teams" }}
          {...{ noun: "a team", ...visibility }}
        />
        <TextField {...{ name: "tags", label: "Tags", form }} hint="Separated by commas." />
        <TextField
          {...{ name: "refresh_interval_seconds", label: "Refresh interval (seconds)", form }}
          type="number"
          hint="Empty: as often as the gateway's setting says."
        />
      </details>
    </>
  );
}

interface PlaceProps {
  readonly form: FormState;
  readonly isNew: boolean;
}

function NameFields({ form, isNew }: PlaceProps) {
  return (
    <>
      <TextField
        {...{ name: "name", label: "Name", form }}
        required
        hint={isNew
          ? "Its tools are listed under this name: time becomes time-convert."
          : "Its tools are listed under this name: with another one, clients see other tools."}
      />
      <TextField {...{ name: "description", label: "Description", form }} />
    </>
  );
}

function AddressFields({ form, isNew }: PlaceProps) {
  const secretHint = isNew ? undefined : "Empty: the stored one stays.";
  const secret = { form, type: "password", hint: secretHint, autocomplete: "new-password" } as const;
  return (
    <>
      <TextField
        {...{ name: "url", label: "URL", form, placeholder: "https://mcp.example.com/mcp" }}
        required
        isCode
        hint={isNew ? undefined : `${MASK} stands for the stored value of a parameter.`}
      />
      <NameFields {...{ form, isNew }} />
      <fieldset class="credentials">
        <legend class="sr-only">Credentials</legend>
        <SelectField {...{ name: "auth_type", label: "Credentials", form, options: AUTH_TYPES }} />
        <Kind of="bearer">
          <TextField {...{ name: "auth_token", label: "Token", ...secret }} />
        </Kind>
        <Kind of="basic">
          <TextField {...{ name: "auth_username", label: "User", form }} />
          <TextField {...{ name: "auth_password", label: "Password", ...secret }} />
        </Kind>
        <Kind of="authheaders">
          <TextField
            {...{ name: "auth_headers", label: "Headers", form, rows: 3 }}
            isCode
            placeholder="X-API-Key: secret"
            hint={`One in a line.${isNew ? "" : ` ${MASK} stands for a stored value.`}`}
          />
        </Kind>
        <Kind of="query_param">
          <TextField {...{ name: "auth_query_param_key", label: "Parameter", form }} isCode />
          <TextField {...{ name: "auth_query_param_value", label: "Its value", ...secret }} />
        </Kind>
        <Kind of="oauth">
          <OAuthFields {...{ form, secret }} />
        </Kind>
        <Kind of="aws_sigv4">
          <AwsFields {...{ form, secret }} />
        </Kind>
      </fieldset>
    </>
  );
}

/** Shown by the style sheet while this kind is chosen. */
function Kind({ of, children }: { readonly of: string; readonly children: Child }) {
  return <div data-kind={of}>{children}</div>;
}

function CommandFields({ form, isNew }: PlaceProps) {
  return (
    <>
      <TextField
        {...{ name: "command", label: "Program", form, placeholder: "npx" }}
        required
        isCode
        hint="It runs on the gateway's machine, as the gateway's user."
      />
      <TextField
        {...{ name: "args", label: "Arguments", form, rows: 4 }}
        isCode
        hint="One in a line, or a JSON list. Administrators see them: secrets belong into the environment."
      />
      <TextField
        {...{ name: "env", label: "Environment", form, rows: 3, placeholder: "API_KEY=secret" }}
        isCode
        hint={`One variable in a line.${isNew ? "" : ` ${MASK} stands for a stored value.`}`}
      />
      <TextField
        {...{ name: "cwd", label: "Working directory", form }}
        isCode
        hint="Empty: the gateway's own."
      />
      <NameFields {...{ form, isNew }} />
    </>
  );
}

const VISIBILITIES: readonly Option[] = [
  { value: "public", label: "Everybody with a token" },
  { value: "private", label: "Only its owner and administrators" },
];

export type VisibilityChoice = Pick<ChoicePickerProps, "chosen" | "found">;

/** What the form offers: everybody, nobody else, or one of the teams. */
export async function readVisibility(rest: Rest, form: FormState): Promise<VisibilityChoice> {
  const value = form.values.get("visibility") ?? "";
  const id = value.startsWith(TEAM) ? value.slice(TEAM.length) : null;
  return {
    chosen: id === null
      ? VISIBILITIES.find((each) => each.value === value) ?? VISIBILITIES[0]!
      : teamOption({ id, name: await nameOf(rest, "teams", id) }),
    found: await findTeamOptions(rest, ""),
  };
}

function teamOption({ id, name }: Named): Option {
  return { value: TEAM + id, label: `The team ${name}` };
}

async function findTeamOptions(rest: Rest, words: string): Promise<FoundOptions> {
  const { found, more } = await findSharedTeams(rest, words);
  return { options: found.map(teamOption), more };
}

export const pickTeams: PageHandler = async ({ rest, query }) =>
  foundView("visibility", await findTeamOptions(rest, query.get("q")?.trim() ?? ""));
