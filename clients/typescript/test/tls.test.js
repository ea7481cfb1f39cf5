// What a client trusts and shows, from files that are renewed.
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { renameSync, unlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { ServerCredentials, status } from "@grpc/grpc-js";
import { ArgumentError, connect } from "@payorch/client";
import { clientOf, senderTo } from "../dist/client.js";
import { SYSTEM } from "../dist/timing.js";
import { selfSigned } from "./certificates.js";
import { serving, written } from "./servers.js";

const SESSION = { flow: { case: "storeOnly", value: {} } };
const SERVER = selfSigned("server");
const [FIRST, SECOND] = [selfSigned("first"), selfSigned("second")];

const locked = (key) =>
  createPrivateKey(key).export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "p" });

for (const [name, contents, wrong] of [
  ["an authority that is none", { ca: "nonsense" }, "tls: the ca is not in PEM form: ca"],
  [
    "an authority that is cut",
    { ca: SERVER.certificate.replace(/\n.*\n-----END/, "\n-----END") },
    "tls: the ca is not in PEM form: ca",
  ],
  [
    "a second authority that is spoilt",
    { ca: SERVER.certificate + SERVER.certificate.replace(/MII/, "XXX") },
    "tls: the ca is not in PEM form: ca",
  ],
  [
    "a certificate that is none",
    { certificate: "nonsense", key: FIRST.key },
    "tls: the certificate is not in PEM form: certificate",
  ],
  [
    "a key that is none",
    { certificate: FIRST.certificate, key: "nonsense" },
    "tls: the key is not in PEM form, or has a password: key",
  ],
  [
    "a key with a password",
    { certificate: FIRST.certificate, key: locked(FIRST.key) },
    "tls: the key is not in PEM form, or has a password: key",
  ],
  [
    "the key of another certificate",
    { certificate: FIRST.certificate, key: SECOND.key },
    "tls: the key is not that of the certificate: key",
  ],
  ["a certificate without a key", { certificate: FIRST.certificate }, "tls: certificate and key come together"],
  ["a key without a certificate", { key: FIRST.key }, "tls: certificate and key come together"],
]) {
  test(`${name} is refused by the name of its file`, (context) => {
    const { ca: caFile, certificate: certificateFile, key: keyFile } = written(context, contents);

    assert.throws(
      () => connect("payorch:1", { tls: { caFile, certificateFile, keyFile } }),
      (error) => {
        assert.equal(error.message.replace(/: \/.*\//, ": "), wrong);
        return error instanceof ArgumentError;
      },
    );
  });
}

test("a file that cannot be read is refused by its name", () => {
  assert.throws(
    () => connect("payorch:1", { tls: { caFile: "/nowhere/ca.pem" } }),
    (error) => {
      return error instanceof ArgumentError && error.message === "tls: the ca cannot be read: /nowhere/ca.pem";
    },
  );
});

test("several authorities in one file are trusted", async (context) => {
  const { client } = await mutual(context, { ca: FIRST.certificate + SERVER.certificate });

  await client.createSession(SESSION);
});

/** Starts a service that knows its callers, and a client whose files may be renewed. */
async function mutual(context, { ca = SERVER.certificate } = {}) {
  const trusted = Buffer.from(FIRST.certificate + SECOND.certificate);
  const pair = { cert_chain: Buffer.from(SERVER.certificate), private_key: Buffer.from(SERVER.key) };
  const seen = [];
  const held = [];
  let hold = false;
  const target = await serving(context, ServerCredentials.createSsl(trusted, [pair], true), (call, respond) => {
    seen.push(call.getAuthContext().sslPeerCertificate.subject.CN);
    return hold ? held.push(respond) : respond(null, {});
  });
  const files = written(context, { ca, certificate: FIRST.certificate, key: FIRST.key });
  const world = { nowMs: 0, warnings: [] };
  const options = {
    tls: { caFile: files.ca, certificateFile: files.certificate, keyFile: files.key },
    logger: { info: () => {}, warn: (text) => world.warnings.push(text) },
  };
  const client = clientOf(senderTo(target, options, { ...SYSTEM, monotonicMs: () => world.nowMs }));
  context.after(() => client.close());
  return {
    client,
    files,
    seen,
    held,
    world,
    holding: (holds) => {
      hold = holds;
    },
  };
}

function renew(files, { certificate, key }) {
  writeFileSync(`${files.certificate}.new`, certificate);
  writeFileSync(`${files.key}.new`, key);
  renameSync(`${files.certificate}.new`, files.certificate);
  renameSync(`${files.key}.new`, files.key);
}

test("a renewed certificate is shown by calls that begin ten seconds later", async (context) => {
  const { client, files, seen, world } = await mutual(context);
  await client.createSession(SESSION);
  renew(files, SECOND);
  world.nowMs = 9_999;
  await client.createSession(SESSION);
  world.nowMs = 10_000;
  await client.createSession(SESSION);

  assert.deepEqual(seen, ["first", "first", "second"]);
  assert.deepEqual(world.warnings, []);
});

test("a call in progress ends on the connection that it began on", async (context) => {
  const { client, files, seen, held, world, holding } = await mutual(context);
  await client.createSession(SESSION);
  holding(true);
  const slow = client.createSession(SESSION, { deadlineMs: 20_000 });
  while (held.length === 0) {
    await new Promise((again) => setImmediate(again));
  }
  holding(false);
  renew(files, SECOND);
  world.nowMs = 10_000;
  await client.createSession(SESSION);
  held[0](null, {});
  await slow;

  assert.deepEqual(seen, ["first", "first", "second"]);
});

test("a call that is sent again after a renewal uses the connection that it began on", async (context) => {
  const { client, files, seen, held, world, holding } = await mutual(context);
  holding(true);
  const resent = client.createSession(SESSION);
  while (held.length === 0) {
    await new Promise((again) => setImmediate(again));
  }
  holding(false);
  renew(files, SECOND);
  world.nowMs = 10_000;
  await client.createSession(SESSION);
  held[0]({ code: status.UNAVAILABLE, details: "no healthy upstream" });
  await resent;

  assert.deepEqual(seen, ["first", "second", "first"]);
});

test("files that do not fit together change nothing, and are reported", async (context) => {
  const { client, files, seen, world } = await mutual(context);
  writeFileSync(files.certificate, SECOND.certificate);
  world.nowMs = 10_000;
  await client.createSession(SESSION);
  assert.deepEqual(world.warnings, [
    `the certificates are not renewed: tls: the key is not that of the certificate: ${files.key}`,
  ]);

  unlinkSync(files.key);
  world.nowMs = 20_000;
  await client.createSession(SESSION);
  assert.equal(world.warnings.at(-1), `the certificates are not renewed: tls: the key cannot be read: ${files.key}`);

  renew(files, SECOND);
  world.nowMs = 30_000;
  await client.createSession(SESSION);
  assert.deepEqual(seen, ["first", "first", "second"]);
});
