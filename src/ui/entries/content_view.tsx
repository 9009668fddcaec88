// What tools return, prompts say and resources contain, as a person reads it: texts, images, sounds, resources. An upstream may send
// anything: what has not the form that MCP gives it is shown as JSON.

/** Content of a tool's result, or of a prompt's message. */
export interface Content {
  readonly type: string;
  readonly text?: string;
  /** base64 */
  readonly data?: string;
  readonly mimeType?: string;
  readonly uri?: string;
  readonly name?: string;
  readonly resource?: ResourcePart;
}

/** A part of a resource: text, or base64. */
export interface ResourcePart {
  readonly uri?: string;
  readonly mimeType?: string | null;
  readonly text?: string | null;
  readonly blob?: string | null;
}

const IMAGES = /^image\/(png|jpeg|gif|webp|avif)$/;
const SOUNDS = /^audio\/[a-z0-9.+-]+$/;

export function ContentView({ content }: { readonly content: Content }) {
  const { type, text, data, mimeType, uri, name, resource } = content ?? {};
  if (type === "text" && typeof text === "string") return <Text text={text} />;
  if ((type === "image" || type === "audio") && isMedia(data, mimeType)) {
    return <Media {...{ data, mimeType }} />;
  }
  // An address of an upstream's is shown and not linked: it may lead anywhere.
  if (type === "resource_link") {
    return (
      <p>
        Resource {String(name)}: <code>{String(uri)}</code>
      </p>
    );
  }
  if (type === "resource" && typeof resource === "object" && resource !== null) {
    return (
      <>
        <p>
          Resource <code>{String(resource.uri)}</code>
        </p>
        <ResourcePartView part={resource} />
      </>
    );
  }
  return <Json value={content} />;
}

export function ResourcePartView({ part: { mimeType, text, blob } }: { readonly part: ResourcePart }) {
  if (typeof text === "string") return <Text text={text} />;
  if (isMedia(blob, mimeType)) return <Media data={blob} mimeType={mimeType} />;
  if (typeof blob !== "string") return <p class="soft">It is empty.</p>;
  return (
    <p class="soft">{`${mimeType ?? "Bytes"}: ${bytesOf(blob).toLocaleString("en")} bytes, not shown.`}</p>
  );
}

function isMedia(data: unknown, mimeType: unknown): boolean {
  return typeof data === "string" && typeof mimeType === "string" &&
    (IMAGES.test(mimeType) || SOUNDS.test(mimeType));
}

function Media({ data, mimeType }: { readonly data?: string | null; readonly mimeType?: string | null }) {
  const source = `data:${mimeType};base64,${data}`;
  return IMAGES.test(mimeType!)
    ? <img src={source} alt="An image that the upstream sent" />
    : <audio controls src={source} aria-label="A sound that the upstream sent" />;
}

function Text({ text }: { readonly text: string }) {
  return <pre class="diff" tabindex={0}>{text}</pre>;
}

export function Json({ value }: { readonly value: unknown }) {
  return <pre tabindex={0}>{JSON.stringify(value, null, 2)}</pre>;
}

function bytesOf(base64: string): number {
  return Math.floor(base64.replace(/=+$/, "").length * 3 / 4);
}
