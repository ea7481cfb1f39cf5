import { ArgumentError } from "./errors.js";

const SCHEMES = ["dns", "ipv4", "ipv6", "unix", "xds"];
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];
const MAX_PORT = 65_535;

/** How a caller wants to be connected, as far as a target may contradict it. */
export interface Wanted {
  readonly tls: boolean;
  readonly plaintext: boolean;
  readonly withToken: boolean;
}

/**
 * Returns a target that grpc-js resolves to every address of a name, so that round robin has something to choose from.
 *
 * @param target - `host:port`, or any target of gRPC with its scheme, which is left as it is.
 * @throws ArgumentError if it is no target, TLS and plaintext are both asked for, or a token would be sent in plaintext
 *   beyond this machine.
 */
export function checkedTarget(target: string, wanted: Wanted): string {
  if (wanted.plaintext && wanted.tls) {
    throw new ArgumentError("plaintext: tls is given as well; choose one");
  }
  const resolved = resolvedTarget(target);
  if (wanted.plaintext && wanted.withToken && !isLoopback(resolved)) {
    throw new ArgumentError("token: it would be sent in plaintext beyond this machine; use TLS");
  }
  return resolved;
}

function resolvedTarget(target: string): string {
  if (typeof target !== "string" || target === "") {
    throw new ArgumentError("target: it is empty; write host:port, such as payorch:50051");
  }
  const shown = `target: ${JSON.stringify(target)}`;
  if (/[\p{C}\p{Z}]/u.test(target)) {
    throw new ArgumentError(`${shown} contains blanks or control characters`);
  }
  const [scheme = "", rest = ""] = split(target, target.indexOf(":"));
  if (scheme === "http" || scheme === "https") {
    throw new ArgumentError(`${shown} is the address of a web page; write host:port`);
  }
  if (SCHEMES.includes(scheme) && !/^\d+$/.test(rest)) {
    return target;
  }
  const [host = "", port = ""] = split(target, target.lastIndexOf(":"));
  if (host === "") {
    throw new ArgumentError(`${shown} needs a host and a port, such as payorch:50051`);
  }
  if (host.includes(":") && !(host.startsWith("[") && host.endsWith("]"))) {
    throw new ArgumentError(`${shown} needs brackets around its IPv6 address, such as [::1]:50051`);
  }
  if (/[/@]/.test(host)) {
    throw new ArgumentError(`${shown} is more than host:port`);
  }
  if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > MAX_PORT) {
    throw new ArgumentError(`${shown} needs a port from 1 to ${MAX_PORT}`);
  }
  return `dns:///${target}`;
}

function isLoopback(target: string): boolean {
  const [scheme = "", rest = ""] = split(target, target.indexOf(":"));
  if (scheme === "unix") {
    return true;
  }
  const addresses = (["dns", "ipv4", "ipv6"].includes(scheme) ? rest : target).replace(/^\/\/\//, "").split(",");
  return addresses.every((address) => LOOPBACK.includes(split(address, address.lastIndexOf(":"))[0] ?? ""));
}

/** Returns what stands before and after a place; nothing before one that is not there. */
function split(text: string, at: number): [string, string] {
  return at < 0 ? ["", text] : [text.slice(0, at), text.slice(at + 1)];
}
