import { create } from "@bufbuild/protobuf";
import { MoneySchema, type Money } from "./gen/google/type/money_pb.js";
import { ArgumentError } from "./errors.js";

const NANOS = 9;
const NANOS_PER_UNIT = 10n ** BigInt(NANOS);
const MOST_UNITS = 2n ** 63n - 1n;
const MOST_DIGITS = 19;

/**
 * Returns an amount as the contract takes it, exactly.
 *
 * @param amount - As decimal text such as `"100.10"` with at most nine decimals, or a whole number of units. No
 *   fraction as a number: 0.1 is not a tenth in one.
 * @param currency - ISO 4217 code, such as USD.
 * @throws ArgumentError if it is no number, has more decimals or more digits than fit, or the currency is no code.
 */
export function money(amount: string | bigint | number, currency: string): Money {
  const text = checkedAmount(amount);
  if (typeof currency !== "string" || !/^[A-Z]{3}$/.test(currency)) {
    throw new ArgumentError(`currency: ${JSON.stringify(currency)} is not three capital letters, such as USD`);
  }
  const [, sign = "", whole = "", fraction = ""] = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text) ?? [];
  if (whole + fraction === "") {
    throw new ArgumentError(`amount: ${JSON.stringify(text)} is not a decimal number, such as 100.10`);
  }
  const decimals = fraction.replace(/0+$/, "");
  if (decimals.length > NANOS) {
    throw new ArgumentError(`amount: ${text} has more than ${NANOS} decimals`);
  }
  const digits = whole.replace(/^0+/, "");
  const units = digits.length > MOST_DIGITS ? MOST_UNITS + 1n : BigInt(digits);
  if (units > MOST_UNITS) {
    throw new ArgumentError(`amount: ${text} has more digits than fit`);
  }
  const nanos = Number(decimals.padEnd(NANOS, "0"));
  const negative = sign === "-";
  return create(MoneySchema, {
    currencyCode: currency,
    units: negative ? -units : units,
    nanos: negative && nanos ? -nanos : nanos, // never -0
  });
}

/** Returns an amount as exact decimal text, without needless zeros after the point. */
export function decimalOf({ units, nanos }: Money): string {
  const scaled = units * NANOS_PER_UNIT + BigInt(nanos);
  const size = scaled < 0n ? -scaled : scaled;
  const decimals = String(size % NANOS_PER_UNIT)
    .padStart(NANOS, "0")
    .replace(/0+$/, "");
  return `${scaled < 0n ? "-" : ""}${size / NANOS_PER_UNIT}${decimals && "."}${decimals}`;
}

/**
 * Returns what `tokenJson` of a request takes.
 *
 * @param token - What the browser's `onpaymentauthorized` gave: `event.payment.token` or its `paymentData` as the JSON
 *   text that came from the browser, passed on as it is; or one of them, or `event.payment`, as an object.
 * @throws ArgumentError if it is not a JSON object, or a text of `event.payment` instead of its token. Its text never
 *   holds the token.
 */
export function applePayToken(token: string | Uint8Array | object): Uint8Array {
  if (typeof token === "string" || token instanceof Uint8Array) {
    const raw = typeof token === "string" ? new TextEncoder().encode(token) : token;
    if ("token" in checkedObject(parsed(raw))) {
      throw new ArgumentError("token: this is the whole payment; pass its member `token`");
    }
    return raw;
  }
  const content = checkedObject(token);
  return new TextEncoder().encode(JSON.stringify(checkedObject("token" in content ? content.token : content)));
}

function checkedAmount(amount: unknown): string {
  if (typeof amount === "number" && !Number.isSafeInteger(amount)) {
    throw new ArgumentError(`amount: the number ${amount} is not exact; pass a text, such as "100.10"`);
  }
  if (typeof amount !== "string" && typeof amount !== "bigint" && typeof amount !== "number") {
    throw new ArgumentError(`amount: a text, a bigint or a whole number is needed, not ${typeof amount}`);
  }
  return String(amount);
}

/** Returns JSON read; undefined if it is none, because the errors of the parser hold the token. */
function parsed(raw: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw));
  } catch {
    return undefined;
  }
}

function checkedObject(content: unknown): object & { readonly token?: unknown } {
  if (typeof content !== "object" || content === null || Array.isArray(content)) {
    throw new ArgumentError("token: it is not a JSON object");
  }
  return content;
}
