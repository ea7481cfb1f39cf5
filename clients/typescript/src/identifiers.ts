import { randomBytes } from "node:crypto";
import { ArgumentError } from "./errors.js";

// A part of the rules of the service, which refuses a Track-Id of another form.
const TRACK_ID_FORM = /^(?![^]*[:;,"'])[!-~]{1,64}$/;
const TIMESTAMP_BYTES = 6;
const RANDOM_BYTES = 10;

/**
 * Returns a fresh name for an intent: a UUID of version 7 (RFC 9562), which shows the service when it was made.
 *
 * Keep it with the order before the first send, and send it again with every resend of the same thing to be done.
 */
export function newRequestId(): string {
  const bytes = Buffer.alloc(TIMESTAMP_BYTES + RANDOM_BYTES);
  bytes.writeUIntBE(Date.now(), 0, TIMESTAMP_BYTES);
  randomBytes(RANDOM_BYTES).copy(bytes, TIMESTAMP_BYTES);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/**
 * Returns a Zuora-Track-Id as it is.
 *
 * @throws ArgumentError if it has another form than 1 to 64 characters from 0x21 to 0x7E without : ; " ' and comma.
 */
export function checkedTrackId(trackId: string): string {
  if (!TRACK_ID_FORM.test(trackId)) {
    const form = `1 to 64 characters from 0x21 to 0x7E without : ; " ' and comma`;
    throw new ArgumentError(`track_id: ${JSON.stringify(trackId)} is not ${form}`);
  }
  return trackId;
}
