// What the README shows is so.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const README = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const [, shown] = [...README.matchAll(/^```ts\n(.*?)^```$/gms)].map(([, program]) => program);

test("the README shows a test of fifteen lines, which is the one that runs", () => {
  const runs = readFileSync(new URL("refused.test.mjs", import.meta.url), "utf8");

  assert.equal(shown, runs);
  assert.ok(shown.split("\n").filter((line) => line !== "").length <= 15);
});
