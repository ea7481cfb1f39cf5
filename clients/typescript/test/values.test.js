// Exact amounts, and Apple Pay tokens as browsers hand them over.
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import fc from "fast-check";
import { applePayToken, ArgumentError, decimalOf, money } from "@payorch/client";

for (const [amount, units, nanos] of [
  ["100.10", 100n, 100_000_000],
  ["0.000000001", 0n, 1],
  ["-0.5", 0n, -500_000_000],
  ["-1.5", -1n, -500_000_000],
  ["+7", 7n, 0],
  ["007.50", 7n, 500_000_000],
  [".5", 0n, 500_000_000],
  ["5.", 5n, 0],
  ["1.1000000000000", 1n, 100_000_000],
  ["9223372036854775807", 9223372036854775807n, 0],
  [12, 12n, 0],
  [12n, 12n, 0],
  ["-0", 0n, 0],
]) {
  test(`money of ${inspect(amount)} is exact`, () => {
    const found = money(amount, "USD");

    assert.deepEqual([found.units, found.nanos, found.currencyCode], [units, nanos, "USD"]);
    assert.ok(!Object.is(found.nanos, -0));
  });
}

for (const [amount, wrong] of [
  [0.1, 'amount: the number 0.1 is not exact; pass a text, such as "100.10"'],
  [2 ** 53, 'amount: the number 9007199254740992 is not exact; pass a text, such as "100.10"'],
  [NaN, 'amount: the number NaN is not exact; pass a text, such as "100.10"'],
  [undefined, "amount: a text, a bigint or a whole number is needed, not undefined"],
  ["", 'amount: "" is not a decimal number, such as 100.10'],
  [".", 'amount: "." is not a decimal number, such as 100.10'],
  ["1e3", 'amount: "1e3" is not a decimal number, such as 100.10'],
  ["1,000.00", 'amount: "1,000.00" is not a decimal number, such as 100.10'],
  ["10\n", 'amount: "10\\n" is not a decimal number, such as 100.10'],
  ["NaN", 'amount: "NaN" is not a decimal number, such as 100.10'],
  ["0.1234567891", "amount: 0.1234567891 has more than 9 decimals"],
  ["9223372036854775808", "amount: 9223372036854775808 has more digits than fit"],
  ["99999999999999999999", "amount: 99999999999999999999 has more digits than fit"],
]) {
  test(`money of ${inspect(amount)} is refused`, () => {
    assert.throws(() => money(amount, "USD"), new ArgumentError(wrong));
  });
}

for (const currency of ["usd", "US", "USDX", "", undefined]) {
  test(`the currency ${currency} is refused`, () => {
    assert.throws(
      () => money("1", currency),
      (error) => error instanceof ArgumentError && error.message.startsWith("currency: "),
    );
  });
}

test("an amount survives its way to money and back", () => {
  const digits = fc.bigInt({ min: -(10n ** 27n), max: 10n ** 27n });
  const property = fc.property(digits, fc.integer({ min: 0, max: 9 }), (scaled, decimals) => {
    const size = String(scaled < 0n ? -scaled : scaled).padStart(decimals + 1, "0");
    const [whole, fraction] = [size.slice(0, size.length - decimals), size.slice(size.length - decimals)];
    fc.pre(BigInt(whole) < 2n ** 63n);
    const shown = decimalOf(money(`${scaled < 0n ? "-" : ""}${whole}${decimals ? "." : ""}${fraction}`, "USD"));
    const [shownWhole, shownFraction = ""] = shown.replace("-", "").split(".");

    assert.equal(BigInt(shownWhole + shownFraction.padEnd(decimals, "0")), scaled < 0n ? -scaled : scaled);
    assert.equal(shown.startsWith("-"), scaled < 0n);
    assert.doesNotMatch(shown, /\.$|\.\d*0$/);
  });
  fc.assert(property, { numRuns: 2_000 });
});

const TOKEN = { version: "EC_v1", data: "secret-data" };
const text = (bytes) => Buffer.from(bytes).toString();

test("the text of a token is passed on byte for byte", () => {
  const given = '{ "version":\t"EC_v1", "data": "s\u00e9cret" }';

  assert.equal(text(applePayToken(given)), given);
  assert.deepEqual(applePayToken(Buffer.from(given)), Buffer.from(given));
});

test("a token as an object is written once, also within the payment", () => {
  for (const given of [TOKEN, { token: TOKEN, billingContact: { givenName: "Ada" } }]) {
    assert.deepEqual(JSON.parse(text(applePayToken(given))), TOKEN);
  }
});

for (const [given, wrong] of [
  ["secret-data", "token: it is not a JSON object"],
  ['"secret-data"', "token: it is not a JSON object"],
  ['["secret-data"]', "token: it is not a JSON object"],
  ["null", "token: it is not a JSON object"],
  [Buffer.from([0xff]), "token: it is not a JSON object"],
  [null, "token: it is not a JSON object"],
  [undefined, "token: it is not a JSON object"],
  [{ token: "secret-data" }, "token: it is not a JSON object"],
  ['{"token": {"data": "secret-data"}}', "token: this is the whole payment; pass its member `token`"],
]) {
  test(`the token ${inspect(given)} is refused without being shown`, () => {
    assert.throws(
      () => applePayToken(given),
      (error) => {
        assert.deepEqual([error.message, error.cause], [wrong, undefined]);
        return error instanceof ArgumentError && !inspect(error).includes("secret-data");
      },
    );
  });
}
