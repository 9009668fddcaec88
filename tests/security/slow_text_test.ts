// No text of a caller or an upstream takes a reader more than proportional time: a worker serves nobody else meanwhile.
import { assertEquals } from "@std/assert";
import { type Family, PIECES, type Reader, textOf } from "../support/foreign_text.ts";
import { firstFault } from "../support/growth.ts";
import { Prng } from "../support/prng.ts";
import { RANDOM_SEED } from "../support/random_seed.ts";
import { READERS_OF_MESSAGES } from "../support/readers_of_messages.ts";
import { READERS_OF_TEXT } from "../support/readers_of_text.ts";

/** Random families for each reader. SLOW_TEXT_TRIES=200 looks for slower texts than the known ones. */
const TRIES = Number(Deno.env.get("SLOW_TEXT_TRIES") ?? 1);

/** How long a text keeps the reader; null: in proportion. A refusal takes time like an answer. */
function faultOf({ max, read }: Reader, family: Family): Promise<string | null> {
  return firstFault(max, (size) => {
    const text = textOf(family, size);
    return async () => {
      try {
        await read(text);
      } catch {
        // A refusal.
      }
    };
  });
}

function randomFamily(random: Prng, { frame, pieces = PIECES, slow }: Reader): Family {
  const [before, , after] = random.pick(slow);
  const [start, end] = frame ??
    (random.chance(0.5) ? [before, after] : [textOf(["", random.pick(PIECES), ""], 1), ""]);
  return [start, random.pick(pieces), end];
}

for (const [name, reader] of Object.entries({ ...READERS_OF_MESSAGES, ...READERS_OF_TEXT })) {
  Deno.test(`${name} takes time in proportion to its text`, async () => {
    for (const family of reader.slow) assertEquals(await faultOf(reader, family), null, Deno.inspect(family));
  });
}

Deno.test(`No random text takes more time than in proportion (seed ${RANDOM_SEED})`, async () => {
  const random = new Prng(RANDOM_SEED);
  for (const [name, reader] of Object.entries({ ...READERS_OF_MESSAGES, ...READERS_OF_TEXT })) {
    for (let tries = 0; tries < TRIES; tries++) {
      const family = randomFamily(random, reader);
      assertEquals(await faultOf(reader, family), null, `${name}: ${Deno.inspect(family)}`);
    }
  }
});
