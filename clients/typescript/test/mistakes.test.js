// What never left the process is no payment of unknown outcome. The texts stand in the README.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ServerCredentials } from "@grpc/grpc-js";
import { ArgumentError, connect, NotSentError, status } from "@payorch/client";
import { Advice, Outcome } from "@payorch/client/v1";
import { selfSigned } from "./certificates.js";
import { refusedTarget, rejection, serving, started, written } from "./servers.js";

const README = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const ONCE = { resend: { attempts: 1 } };
const SERVER = selfSigned("server");

function secure(context, { checkClient = false } = {}) {
  const pair = { cert_chain: Buffer.from(SERVER.certificate), private_key: Buffer.from(SERVER.key) };
  const credentials = ServerCredentials.createSsl(Buffer.from(SERVER.certificate), [pair], checkClient);
  return serving(context, credentials, (_call, respond) => respond(null, {}));
}

async function notSent(target, options) {
  const client = connect(target, { ...ONCE, ...options });
  const error = await rejection(client.createSession({}));
  client.close();
  assert.ok(error instanceof NotSentError, `${error}`);
  assert.deepEqual(
    [error.code, error.reason, error.outcome, error.advice],
    [status.UNAVAILABLE, "", Outcome.NOT_SENT, Advice.RESEND_SAME_REQUEST_ID],
  );
  assert.ok(error.message.startsWith(`UNAVAILABLE: no connection to ${target}: ${error.hint} [gRPC: `), error.message);
  assert.ok(!/[^ -~]/.test(error.message), error.message);
  return error.hint;
}

test("a line break at the end of the token is an argument error that does not show it", async (context) => {
  const payorch = await started(context);
  const error = await rejection(payorch.connect({ token: () => "secret-token\n" }).createSession({}));

  assert.ok(error instanceof ArgumentError);
  assert.ok(README.includes(`\`ArgumentError: ${error.message}\``));
  assert.deepEqual(payorch.calls, []);
});

test("the address of a web page is an argument error", () => {
  assert.throws(
    () => connect("https://payorch:50051"),
    (error) => {
      return error instanceof ArgumentError && README.includes(`\`ArgumentError: ${error.message}\``);
    },
  );
});

test("plaintext to a service with TLS was not sent", async (context) => {
  const hint = await notSent(await secure(context), { plaintext: true });

  assert.ok(README.includes(`\`NotSentError\`: ${hint} |`), hint);
});

test("an authority that is not known was not sent to", async (context) => {
  const hint = await notSent(await secure(context), {});

  assert.ok(README.includes(`\`NotSentError\`: ${hint} |`), hint);
});

test("a port where nothing listens was not sent to", async () => {
  const hint = await notSent(await refusedTarget(), { plaintext: true });

  assert.ok(README.includes(`\`NotSentError\`: ${hint} |`), hint);
});

test("TLS to a service without it was not sent", async (context) => {
  const payorch = await started(context);

  assert.equal(
    await notSent(payorch.target, {}),
    "the server speaks no TLS; plaintext: true connects without, if that is intended",
  );
});

test("a certificate for another host is named as such", async (context) => {
  const { ca } = written(context, { ca: SERVER.certificate });
  const target = await secure(context);
  const options = { tls: { caFile: ca }, channelOptions: { "grpc.ssl_target_name_override": "payorch.example" } };

  assert.equal(await notSent(target, options), "the server's certificate is for another host name");
});

test("a client certificate that is missing was not sent", async (context) => {
  const { ca } = written(context, { ca: SERVER.certificate });
  const target = await secure(context, { checkClient: true });

  assert.equal(
    await notSent(target, { tls: { caFile: ca } }),
    "the server closed it at once; it may require a client certificate",
  );
});

test("a name that is not known was not sent to", async () => {
  assert.equal(await notSent("payorch.invalid:50051", { plaintext: true }), "the host name is not known");
});
