// GET /docs: the OpenAPI document as a page.
import { type ErrorCode, ERRORS } from "../../base/errors.ts";
import type { JsonSchema } from "../openapi/components.ts";
import type { MediaType, Method, OpenApi, OperationObject, ResponseObject } from "../openapi/document.ts";
import { type Html, html, inline, paragraphs, type Part } from "./html.ts";
import { type Page, page } from "./html_page.ts";
import { fieldsOf, fieldView, nameOf, sampleOf, typeOf } from "./schema_view.ts";

interface Listed {
  readonly path: string;
  readonly method: Method;
  readonly operation: OperationObject;
}

/** @param prefix what the addresses of this gateway begin with, for links */
export function docsPage(document: OpenApi, prefix: string): Promise<Page> {
  const { info, tags, paths } = document;
  const all = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): Listed => ({ path, method: method as Method, operation }))
  );
  const groups = tags.map((tag) => ({
    ...tag,
    listed: all.filter(({ operation }) => operation.tags[0] === tag.name),
  }));
  return page(
    `${info.title} ${info.version}: REST API`,
    html`
      <a class="skip" href="#top">Skip to the content</a>
      <div class="layout">
        <nav class="side" aria-label="Operations">${contents(groups)}</nav>
        <main id="top">
      <h1>${info.title} REST API</h1>
      <p class="soft">Version ${info
        .version} · <a href="${prefix}/openapi.json">openapi.json</a> (OpenAPI ${document.openapi.slice(
          0,
          3,
        )}) · <a href="${prefix}/">about this gateway</a></p>
      <nav class="chips" aria-label="Contents">${groups.map(({ name }) =>
        html`<a href="#${name}">${name}</a>`
      )}<a href="#schemas">Schemas</a><a href="#errors">Error codes</a></nav>
      ${paragraphs(info.description)}
      <p>The examples use two variables:</p>
      ${code("export SLUICE=http://localhost:4444\nexport TOKEN=$(sluice token --admin)")}
      ${groups.map(({ name, description, listed }) =>
        html`
          <section>
          <h2 id="${name}">${name}</h2>
          ${paragraphs(description)}
          ${listed.map((each) => operationView(each, document))}
          </section>
        `
      )}
      <section>
      <h2 id="schemas">Schemas</h2>
      <p>The objects of requests and answers, by name.</p>
      ${Object.entries(document.components.schemas).map(([name, schema]) =>
        schemaView(name, schema, document)
      )}
      </section>
      <section>
      <h2 id="errors">Error codes</h2>
      <p>The member <code>code</code> of an error, its status, and its sentence.</p>
      <dl class="fields">${errorCodes(document).map((name) =>
        html`
          <div>
            <dt id="error-${name}"><code>${name}</code><small>${ERRORS[name].http}</small></dt>
            <dd>${ERRORS[name].text}</dd>
          </div>
        `
      )}</dl>
      </section>
        </main>
      </div>
    `,
  );
}

/** The codes that some operation answers, in the order of the catalogue. */
function errorCodes({ components }: OpenApi): ErrorCode[] {
  const used = new Set(Object.keys(components.responses).flatMap(codesOf));
  return (Object.keys(ERRORS) as ErrorCode[]).filter((name) => used.has(name));
}

function contents(groups: readonly { readonly name: string; readonly listed: readonly Listed[] }[]): Html {
  return html`<ul class="top">
    ${
    groups.map(({ name, listed }) =>
      html`
        <li>
          <details>
            <summary>${name}</summary>
            <ul>${listed.map(({ operation }) =>
              html`<li><a href="#${operation.operationId}">${operation.summary}</a></li>`
            )}</ul>
          </details>
        </li>
      `
    )
  }
    <li><a class="group" href="#schemas">Schemas</a></li>
    <li><a class="group" href="#errors">Error codes</a></li>
  </ul>`;
}

function operationView(listed: Listed, document: OpenApi): Html {
  const { path, method, operation } = listed;
  const { operationId, summary, description, parameters, requestBody, responses } = operation;
  const permission = operation["x-permission"];
  const body = requestBody?.content["application/json"];
  const answers = Object.entries(responses);
  const described = answers.filter((entry): entry is [string, ResponseObject] => "description" in entry[1]);
  const errors = answers.flatMap(([status, response]) =>
    "$ref" in response ? [{ status, codes: codesOf(response.$ref) }] : []
  );
  return html`
    <details class="operation">
      <summary><span class="method ${method}">${method.toUpperCase()}</span> ${pathView(
        path,
      )} <span class="says">${summary}</span></summary>
      <div class="body" id="${operationId}">
    ${description === undefined ? null : paragraphs(description)}
    ${operation.security !== undefined
      ? html`<p>Needs no token.</p>`
      : permission === undefined
      ? html`<p>Needs a token.</p>`
      : html`<p>Permission: <code>${permission}</code></p>`}
    ${parameters.length === 0 ? null : html`
      <h3>Parameters</h3>
      <dl class="fields">${parameters.map(({ name, required, description, schema }) =>
        fieldView(name, { ...schema, description }, required ? "required" : null)
      )}</dl>
    `}
    ${body === undefined ? null : html`<h3>Body</h3>${bodyView(body, document)}`}
    ${isWebSocket(operation) ? null : html`<h3>Example</h3>${code(curl(listed))}`}
    <h3>Answers</h3>
    <dl class="facts">${described.map(([status, response]) =>
      html`
        <dt>${status}</dt>
        <dd>${answerView(response)}</dd>
      `
    )}</dl>
    ${errors.length === 0 ? null : html`
      <h3>Errors</h3>
      <dl class="facts">${errors.map(({ status, codes }) =>
        html`
          <dt>${status}</dt>
          <dd>${codes.map((
            name,
            i,
          ): Part => [i === 0 ? "" : ", ", html`<a href="#error-${name}"><code>${name}</code></a>`])}</dd>
        `
      )}</dl>
    `}
      </div>
    </details>
  `;
}

/** The path, which may break after each slash. */
function pathView(path: string): Html {
  return html`<code class="path">${
    path.split("/").map((part, i): Part => i === 0 ? part : [html`/<wbr>`, part])
  }</code>`;
}

function bodyView({ schema }: MediaType, { components }: OpenApi): Html {
  const name = nameOf(schema);
  const whole = name === null ? schema : components.schemas[name]!;
  return fieldsOf(whole) ?? html`<p>${typeOf(schema)}</p>`;
}

function answerView({ description, content = {} }: ResponseObject): Html {
  const [json] = Object.values(content);
  const types = Object.keys(content).filter((type) => type !== "application/json");
  return html`${inline(description)}${
    json === undefined ? null : html`
      <span class="soft">Body: ${typeOf(json.schema)}${types.length === 0
        ? null
        : `, ${types.join(", ")}`}</span>
    `
  }${json === undefined || nameOf(json.schema) !== null ? null : fieldsOf(json.schema)}`;
}

function schemaView(name: string, schema: JsonSchema, { components }: OpenApi): Html {
  return html`
    <details class="schema">
      <summary><code class="path">${name}</code> <span class="soft">${schema.description === undefined
        ? null
        : inline(schema.description)}</span></summary>
      <div class="body" id="schema-${name}">
    ${fieldsOf(schema) ?? html`<p>${typeOf(schema)}</p>`}
    <h3>Example</h3>
    ${code(JSON.stringify(sampleOf(schema, components.schemas), null, 2))}
      </div>
    </details>
  `;
}

/** The codes of a shared error response, whose name is their list. */
function codesOf(ref: string): string[] {
  return ref.slice(ref.lastIndexOf("/") + 1).split(".");
}

/** curl cannot show much of a WebSocket. */
function isWebSocket({ responses }: OperationObject): boolean {
  return "101" in responses;
}

/** A shell command that sends an example request. */
export function curl({ path, method, operation }: Listed): string {
  const { parameters, requestBody, security } = operation;
  const place = path.replace(/\{(\w+)\}/g, (_, name: string) => name.toUpperCase());
  const query = parameters.filter(({ in: where, required }) => where === "query" && required)
    .map(({ name }) => `${name}=${name.toUpperCase()}`).join("&");
  const isStream = Object.values(operation.responses).some((response) =>
    "content" in response && "text/event-stream" in response.content!
  );
  const flags = [
    ...(method === "get" ? [] : [`-X ${method.toUpperCase()}`]),
    ...(isStream && method === "get" ? ["-N"] : []),
  ];
  const lines = [
    ["curl", ...flags, `"$SLUICE${place}${query === "" ? "" : `?${query}`}"`].join(" "),
    ...(security === undefined ? ['-H "Authorization: Bearer $TOKEN"'] : []),
    ...(isStream ? ['-H "Accept: application/json, text/event-stream"'] : []),
    ...(requestBody === undefined ? [] : [
      '-H "Content-Type: application/json"',
      `-d ${inShell(JSON.stringify(requestBody.content["application/json"].example))}`,
    ]),
  ];
  return lines.join(" \\\n  ");
}

/** The text as one word of a shell. */
function inShell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A block that scrolls by itself; the keyboard reaches it. */
export function code(text: string): Html {
  return html`<pre tabindex="0"><code>${text}</code></pre>`;
}
