import assert from "node:assert/strict";
import { test } from "node:test";
import { ArgumentError, connect } from "@payorch/client";
import { checkedTarget } from "../dist/target.js";

const PLAIN = { tls: false, plaintext: true, withToken: false };

for (const [target, resolved] of [
  ["payorch:50051", "dns:///payorch:50051"],
  ["127.0.0.1:1", "dns:///127.0.0.1:1"],
  ["[::1]:65535", "dns:///[::1]:65535"],
  ["dns:8080", "dns:///dns:8080"],
  ["dns:///payorch:50051", "dns:///payorch:50051"],
  ["ipv4:10.0.0.1:50051,10.0.0.2:50051", "ipv4:10.0.0.1:50051,10.0.0.2:50051"],
  ["unix:/run/payorch.sock", "unix:/run/payorch.sock"],
]) {
  test(`the target ${target} is accepted`, () => {
    assert.equal(checkedTarget(target, PLAIN), resolved);
  });
}

for (const [target, wrong] of [
  ["", "it is empty"],
  [undefined, "it is empty"],
  [" payorch:50051", "contains blanks"],
  ["payorch:50051\n", "contains blanks"],
  ["payorch\u2028:50051", "contains blanks"],
  ["http://payorch:50051", "is the address of a web page"],
  ["https://payorch:50051", "is the address of a web page"],
  ["payorch", "needs a host and a port"],
  [":50051", "needs a host and a port"],
  ["::1:50051", "needs brackets"],
  ["user@payorch:50051", "is more than host:port"],
  ["payorch/path:50051", "is more than host:port"],
  ["payorch:0", "needs a port from 1 to 65535"],
  ["payorch:65536", "needs a port from 1 to 65535"],
  ["payorch:https", "needs a port from 1 to 65535"],
  ["payorch:", "needs a port from 1 to 65535"],
]) {
  test(`the target ${JSON.stringify(target)} is refused`, () => {
    assert.throws(
      () => connect(target, { plaintext: true }),
      (error) =>
        error instanceof ArgumentError && error.message.startsWith("target: ") && error.message.includes(wrong),
    );
  });
}

for (const target of ["127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/a", "dns:///localhost:1", "ipv4:127.0.0.1:1"]) {
  test(`a token may be sent in plaintext to ${target}`, () => {
    connect(target, { plaintext: true, token: () => "secret" }).close();
  });
}

for (const target of ["payorch:1", "127.0.0.1.example.org:1", "dns:///payorch:1", "ipv4:127.0.0.1:1,10.0.0.1:1"]) {
  test(`a token is never sent in plaintext to ${target}`, () => {
    assert.throws(
      () => connect(target, { plaintext: true, token: () => "secret" }),
      new ArgumentError("token: it would be sent in plaintext beyond this machine; use TLS"),
    );
  });
}

test("TLS and plaintext contradict each other", () => {
  assert.throws(
    () => connect("payorch:1", { plaintext: true, tls: {} }),
    new ArgumentError("plaintext: tls is given as well; choose one"),
  );
});
