import { assertEquals } from "@std/assert";
import { encodeRequest } from "./otlp.ts";

/** The parts of a message: all its fields are messages or texts. */
function partsOf(message: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < message.length;) {
    assertEquals(message[at++]! & 7, 2, "the field has a length");
    let [length, shift] = [0, 0];
    for (let isLast = false; !isLast; shift += 7) {
      const byte = message[at++]!;
      length |= (byte & 127) << shift;
      isLast = byte < 128;
    }
    parts.push(message.subarray(at, at += length));
  }
  return parts;
}

Deno.test("encodeRequest() writes keys and values of any length and in any script as UTF-8", () => {
  const resource = {
    "service.name": "sluice",
    "größe": "short",
    "place": "Zürich",
    "long": "x".repeat(200),
    ["k".repeat(200)]: "short",
    "edge": "x".repeat(127 - 6 - 4),
    "beyond": "x".repeat(127 - 6 - 6 + 1),
  };
  const [spans] = partsOf(encodeRequest({ resource, version: "1" }, []));
  const [described] = partsOf(spans!);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const read = partsOf(described!).map((attribute) => {
    const [key, value] = partsOf(attribute);
    return [decoder.decode(key), decoder.decode(partsOf(value!)[0])];
  });
  assertEquals(Object.fromEntries(read), resource);
});
