// Describes an HTTP answer that is no MCP message: status, the headers that tell its cause, and its first words.
import { printable } from "../transport/printable.ts";
import { SeenAnswer } from "../../base/seen_answer.ts";
import { withoutSecretsOf } from "../transport/without_secrets.ts";
import type { Headers } from "../http1/request_head.ts";
import type { AnswerHead } from "./http_client.ts";

/** Headers of an answer that tell why it is none. */
const TELLING = ["location", "www-authenticate", "content-encoding"] as const;

/** Limits of what is quoted, in characters. */
const MAX_HEADER = 200;
const MAX_WORDS = 200;
/** Limit of the text that is searched for words. */
const MAX_SEARCHED = 4_096;

/** The request that was answered. */
export interface Asked {
  readonly url: URL;
  /** The headers as sent. Servers repeat credentials in their answers. */
  readonly headers: Headers;
}

/** What was seen, for operators: `HTTP 403, text/html: "Attention Required!"`. @param text the body, or its beginning */
export function seenAnswer(response: AnswerHead, text: string, asked: Asked): SeenAnswer {
  const hidden = (words: string) => withoutSecretsOf(asked.url, asked.headers, words);
  const facts = [`HTTP ${response.status}`, typeOf(response) || "no content type"];
  for (const name of TELLING) {
    const value = response.header(name);
    if (value !== null) facts.push(`${name}: ${printable(hidden(value)).slice(0, MAX_HEADER)}`);
  }
  const words = firstWords(hidden(text.slice(0, MAX_SEARCHED)));
  return new SeenAnswer(words === "" ? `${facts.join(", ")}, no body` : `${facts.join(", ")}: "${words}"`);
}

/** What kind of body came in place of JSON, for everybody: "an HTML page". */
export function kindOf(response: AnswerHead, text: string): string {
  if (text.trim() === "") return "no body";
  if (isHtml(response)) return "an HTML page";
  const type = typeOf(response);
  return /^[\w.+-]+\/[\w.+-]+$/.test(type) ? `a body of type ${type}` : "a body without a type";
}

export function isHtml(response: AnswerHead): boolean {
  return /^(text\/html|application\/xhtml\+xml)$/.test(typeOf(response));
}

/** The media type in lower case, without parameters; "" without one. */
function typeOf(response: AnswerHead): string {
  return (response.header("content-type") ?? "").split(";", 1)[0]!.trim().toLowerCase().slice(0, 100);
}

/** The first words of a text, without tags, in one line. */
function firstWords(text: string): string {
  const words = printable(text.replace(/<(script|style)\b[^<]*/gi, " ").replace(/<[^<>]*>/g, " "));
  return words.length > MAX_WORDS ? `${words.slice(0, MAX_WORDS)}…` : words;
}
