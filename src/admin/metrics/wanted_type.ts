// Which of several media types a client wants, by its Accept header (RFC 9110, section 12.5.1).

/**
 * @param accept the header; null: there is none
 * @param offered media types without parameters, the preferred one first
 * @returns the one with the highest weight, the first of equals; null: the client accepts none
 */
export function wantedType(accept: string | null, offered: readonly string[]): string | null {
  if (accept === null || accept.trim() === "") return offered[0]!;
  const ranges = accept.toLowerCase().split(",").map((text) => {
    const [range, ...parameters] = text.split(";").map((part) => part.trim());
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2) ?? "1";
    return { range, weight: Number(weight) || 0 };
  });
  // The most specific range counts; of several of one type, as for its versions, the greatest weight.
  const weightOf = (type: string) => {
    for (const name of [type, `${type.slice(0, type.indexOf("/"))}/*`, "*/*"]) {
      const weights = ranges.filter(({ range }) => range === name).map(({ weight }) => weight);
      if (weights.length > 0) return Math.max(...weights);
    }
    return 0;
  };
  const weighed = offered.map((type) => ({ type, weight: weightOf(type) }));
  const best = weighed.reduce((best, next) => next.weight > best.weight ? next : best);
  return best.weight > 0 ? best.type : null;
}
