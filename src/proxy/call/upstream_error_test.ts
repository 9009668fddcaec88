import { assertEquals } from "@std/assert";
import { asUpstreamError } from "./upstream_error.ts";

Deno.test("asUpstreamError() passes an error of an upstream as it came", () => {
  for (
    const text of [
      '{"code":-32000,"message":"internal"}',
      '{ "code" : -32000, "message": "source", "data": "internal" }',
      '{"code":1.0,"message":"m","data":{"n":1.0,"source":"database"}}',
      '{"code":1,"message":"m","data":{"source":{"source":"internal"},"n":1.0}}',
      '{"code":1,"message":"m","data":null,"source":"internal"}',
      '{"code":-32042,"message":"sign in","data":{"elicitations":[{"mode":"url","elicitationId":"1","url":"https://u/?a=%2F","message":"m"}]}}',
      '{"code":1,"message":"m\\u00e9","data":[1.0]}',
    ]
  ) {
    assertEquals(asUpstreamError(text), text);
  }
});

Deno.test("asUpstreamError() marks a source that only the gateway's own errors have", () => {
  for (const source of ["downstream", "upstream", "internal"]) {
    const text = (value: string) =>
      `{"code":-31500,"message":"m","data":{"n":1.0,"source":"${value}","code":"INTERNAL"}}`;
    assertEquals(asUpstreamError(text(source)), text(`upstream:${source}`));
  }
});

Deno.test("asUpstreamError() leaves no second source that another reader could find", () => {
  const rows: [data: string, marked: string][] = [
    ['{"source":"internal","source":"x"}', '{"source":"x"}'],
    ['{"source":"x","Source":"internal"}', '{"source":"x","Source":"upstream:internal"}'],
    ['{"\u017fource":"internal"}', '{"\u017fource":"upstream:internal"}'],
    ['{"s\\u006furce":"internal"}', '{"s\\u006furce":"upstream:internal"}'],
  ];
  for (const [data, marked] of rows) {
    const text = (data: string) => `{"code":1,"message":"m","data":${data}}`;
    assertEquals(asUpstreamError(text(data)), text(marked));
  }
  assertEquals(
    asUpstreamError('{"code":1,"message":"m","data":{"source":"internal"},"data":{"source":"x"}}'),
    '{"code":1,"message":"m","data":{"source":"x"}}',
  );
});
