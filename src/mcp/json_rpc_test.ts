import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { assertLinear } from "../../tests/support/growth.ts";
import { SluiceError } from "../base/errors.ts";
import {
  addMember,
  classify,
  exceedsDepth,
  findMember,
  idText,
  memberText,
  memberTexts,
  parseJson,
  replaceMember,
  replaceSoleMember,
  type RequestMessage,
} from "./json_rpc.ts";

const request = (text: string) => classify(parseJson(text, 30), text);

Deno.test("classify() tells requests, notifications and responses apart", () => {
  assertEquals(request('{"jsonrpc":"2.0","id":1,"method":"ping"}').kind, "request");
  assertEquals(request('{"jsonrpc":"2.0","method":"notifications/initialized"}').kind, "notification");
  assertEquals(request('{"jsonrpc":"2.0","id":"a","result":{}}').kind, "response");
  assertEquals(request('{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}').kind, "response");
  assertEquals(request('{"jsonrpc":"2.0","error":{"code":1,"message":""}}').kind, "response");
});

Deno.test("classify() refuses what is no JSON-RPC 2.0 message", () => {
  for (
    const text of [
      "1",
      "null",
      "[]",
      "{}",
      '{"jsonrpc":"1.0","id":1,"method":"x"}',
      '{"jsonrpc":"2.0","id":null,"method":"x"}',
      '{"jsonrpc":"2.0","id":{},"method":"x"}',
      '{"jsonrpc":"2.0","id":1,"method":7}',
      '{"jsonrpc":"2.0","id":1,"method":"x","params":"p"}',
      '{"jsonrpc":"2.0","id":1}',
      '{"jsonrpc":"2.0","result":{}}',
    ]
  ) {
    assertThrows(() => request(text), SluiceError, "Invalid request", text);
  }
});

Deno.test("classify() takes null for no params, and passes none on", () => {
  const { params, text } = request(
    '{"jsonrpc":"2.0", "id": 1.0,"params":null,"method":"x"}',
  ) as RequestMessage;
  assertEquals([params, text], [undefined, '{"jsonrpc":"2.0","id": 1.0,"method":"x"}']);
});

Deno.test("parseJson() refuses what is not JSON and what is nested too deep", () => {
  assertThrows(() => parseJson("{", 30), SluiceError, "Cannot parse");
  assertThrows(() => parseJson("[".repeat(100_000), 30), SluiceError, "30 levels");
  assertEquals(exceedsDepth("[".repeat(30) + "]".repeat(30), 30), false);
  assertEquals(exceedsDepth(`["${"[".repeat(100)}\\"${"{".repeat(100)}"]`, 30), false);
});

Deno.test("idText() keeps the digits of a number beyond 2^53", () => {
  const text = '{"jsonrpc":"2.0", "id" : 12345678901234567890 ,"method":"ping"}';
  const message = request(text);
  assertEquals(message.kind === "request" && idText(message), "12345678901234567890");
});

Deno.test("findMember() finds the last of a repeated key, escaped keys too, in the outermost object only", () => {
  assertEquals(memberText('{"a":{"b":1},"b":2,"b":[3,{"b":4}] , "c":"b"}', "b"), '[3,{"b":4}]');
  assertEquals(memberText('{"\\u0062":"x\\"}"}', "b"), '"x\\"}"');
  assertEquals(memberText('{"a":{"b":1}}', "b"), undefined);
  assertEquals(findMember("[1]", "b"), null);
});

Deno.test("memberText() and replaceMember() agree with JSON.parse on any object", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.string(),
      fc.jsonValue(),
      (object, key, value) => {
        for (const text of [JSON.stringify(object), JSON.stringify(object, null, 2)]) {
          for (const name of Object.keys(object)) {
            assertEquals(JSON.parse(memberText(text, name)!), JSON.parse(text)[name]);
          }
          const changed = JSON.parse(replaceMember(text, key, JSON.stringify(value)));
          const expected = JSON.parse(text);
          Object.defineProperty(expected, key, {
            value: JSON.parse(JSON.stringify(value)),
            enumerable: true,
            writable: true,
            configurable: true,
          });
          assertEquals(changed, expected);
        }
      },
    ),
  );
});

Deno.test("findMember() needs time in proportion to the text, however many members it has", () => {
  assertLinear((members) => {
    const text = `{${'"a":1,'.repeat(members)}"b":2}`;
    assertEquals(memberText(text, "b"), "2");
    assertEquals(findMember(text, "params"), null);
  }, 10_000);
});

Deno.test("memberTexts() finds what memberText() finds", () => {
  const text = '{ "a" : [1, {"b":2}] ,"\\u0062":"x","a":{ },"__proto__":1.0}';
  const texts = memberTexts(text);
  assertEquals([...texts], [["a", "{ }"], ["b", '"x"'], ["__proto__", "1.0"]]);
  for (const [key, value] of texts) assertEquals(memberText(text, key), value);
  assertEquals([...memberTexts("[1]")], []);
});

Deno.test("replaceSoleMember() refuses a key that another reader could take for another value", () => {
  assertEquals(
    replaceSoleMember('{"a":{"name":1},"name":"x"}', "name", '"y"'),
    '{"a":{"name":1},"name":"y"}',
  );
  for (
    const text of [
      '{"name":"a","name":"b"}',
      '{"Name":"a","name":"b"}',
      '{"name":"b","NAME":"a"}',
      '{"n\\u0061me":"a","name":"b"}',
    ]
  ) {
    assertThrows(() => replaceSoleMember(text, "name", '"c"'), SluiceError, "more than once", text);
  }
  for (
    const [other, key] of [
      ["ta\u017fkId", "taskId"],
      ["ta\\u017fkId", "taskId"],
      ["TA\u017f\u212aID", "taskId"],
      ["task\u0131d", "taskId"],
      ["task\u0130d", "taskId"],
      ["ur\u0130", "uri"],
    ] as const
  ) {
    for (const text of [`{"${other}":"a","${key}":"b"}`, `{"${key}":"b","${other}":"a"}`]) {
      assertThrows(() => replaceSoleMember(text, key, '"c"'), SluiceError, "more than once", text);
    }
  }
  assertEquals(
    replaceSoleMember('{"näme":1,"namé":2,"name":3}', "name", "4"),
    '{"näme":1,"namé":2,"name":4}',
  );
});

Deno.test("addMember() adds a member once", () => {
  assertEquals(addMember('{"a":1}', "b", "2"), '{"b":2,"a":1}');
  assertEquals(addMember('{ "b" : 1.0 }', "b", "2"), '{ "b" : 1.0 }');
  assertEquals(addMember("{}", "b", "2"), '{"b":2}');
});
