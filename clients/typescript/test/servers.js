// Servers and files for tests, which end with the test.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Server } from "@grpc/grpc-js";
import { FakePayorch } from "@payorch/client/testing";
import { PaymentOrchestrationService } from "@payorch/client/v1";

export async function started(context) {
  const payorch = await FakePayorch.start();
  context.after(() => payorch.stop());
  return payorch;
}

/** Starts a server whose CreateSession is given as a handler of grpc-js; returns its target. */
export async function serving(context, credentials, createSession) {
  const method = PaymentOrchestrationService.method.createSession;
  const server = new Server();
  const definition = {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: (request) => Buffer.from(toBinary(method.input, request)),
    requestDeserialize: (bytes) => fromBinary(method.input, bytes),
    responseSerialize: (answer) =>
      Buffer.isBuffer(answer) ? answer : Buffer.from(toBinary(method.output, create(method.output, answer))),
    responseDeserialize: (bytes) => fromBinary(method.output, bytes),
  };
  server.addService({ createSession: definition }, { createSession });
  const port = await promisify(server.bindAsync.bind(server))("127.0.0.1:0", credentials);
  context.after(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

/** Returns the target of a port where nothing listens. */
export async function refusedTarget() {
  const server = createServer();
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  return `127.0.0.1:${port}`;
}

/** Writes files into a folder of their own; returns their paths. */
export function written(context, contents) {
  const folder = mkdtempSync(join(tmpdir(), "payorch-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return Object.fromEntries(
    Object.entries(contents).map(([name, content]) => {
      const path = join(folder, name);
      writeFileSync(path, content);
      return [name, path];
    }),
  );
}

/** Returns what a promise rejects with. */
export async function rejection(promise) {
  return promise.then(
    (value) => {
      throw new Error(`it succeeded: ${value}`);
    },
    (error) => error,
  );
}
