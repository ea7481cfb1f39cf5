import { ArgumentError } from "./errors.js";

/**
 * Returns the caller's JSON Web Token. It is called for every send, and has to cache.
 *
 * @param refresh - Whether the last token was not accepted: then it must return a fresh one.
 */
export type TokenSource = (refresh: boolean) => string | Promise<string>;

/**
 * Returns a token that can be sent as it is.
 *
 * @throws ArgumentError if it cannot; the token is not shown.
 */
export function checkedToken(token: string): string {
  if (typeof token !== "string") {
    throw new ArgumentError(`token: the supplier returned no text but ${token === null ? "null" : typeof token}`);
  }
  if (token.trim() !== token) {
    throw new ArgumentError("token: it begins or ends with a blank or a line break; strip it");
  }
  if (!/^[!-~]+$/.test(token)) {
    throw new ArgumentError("token: it is empty, or has a character that no header may contain");
  }
  return token;
}
