// The values of flags: lists, addresses, numbers.

export function listOf(text: string | null): string[] | null {
  return text?.split(",").map((item) => item.trim()).filter((item) => item !== "") ?? null;
}

export function teamsOf(text: string | null): string[] | "all" | null {
  if (text === "null") return "all";
  return text === "none" ? [] : listOf(text);
}

export function isHttpUrl(text: string): boolean {
  const protocol = URL.parse(text)?.protocol;
  return protocol === "http:" || protocol === "https:";
}

export function isWebSocketUrl(text: string): boolean {
  const protocol = URL.parse(text)?.protocol;
  return protocol === "ws:" || protocol === "wss:";
}

export function isWholeNumber(text: string, max: number): boolean {
  return /^\d{1,9}$/.test(text) && Number(text) <= max;
}
