// Makes certificates, so that no private key stands in the repository.
import { generateKeyPairSync, sign } from "node:crypto";

function der(tag, ...contents) {
  const content = Buffer.concat(contents.map((part) => Buffer.from(part)));
  const length = content.length < 128 ? [content.length] : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

const sequence = (...contents) => der(0x30, ...contents);
const oid = (...bytes) => der(0x06, bytes);
const name = (commonName) => sequence(der(0x31, sequence(oid(0x55, 4, 3), der(0x0c, Buffer.from(commonName)))));
const time = (date) => der(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]/g, "").slice(2, 14)}Z`));
const extension = (id, value) => sequence(oid(...id), der(0x04, value));
const ECDSA_WITH_SHA256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2));
const DAY_MS = 86_400_000;

/** Returns a key and a certificate that signs itself, for 127.0.0.1 and a host name, in PEM form. */
export function selfSigned(commonName, host = "localhost") {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const names = sequence(der(0x87, [127, 0, 0, 1]), der(0x82, Buffer.from(host)));
  const extensions = sequence(
    extension([0x55, 0x1d, 0x11], names),
    extension([0x55, 0x1d, 0x13], sequence(der(0x01, [0xff]))), // an authority
  );
  const contents = sequence(
    der(0xa0, der(0x02, [2])),
    der(0x02, [1]),
    ECDSA_WITH_SHA256,
    name(commonName),
    sequence(time(new Date(Date.now() - DAY_MS)), time(new Date(Date.now() + DAY_MS))),
    name(commonName),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, extensions),
  );
  const signature = der(0x03, [0], sign("sha256", contents, privateKey));
  const certificate = sequence(contents, ECDSA_WITH_SHA256, signature)
    .toString("base64")
    .match(/.{1,64}/g);
  return {
    certificate: ["-----BEGIN CERTIFICATE-----", ...certificate, "-----END CERTIFICATE-----", ""].join("\n"),
    key: privateKey.export({ type: "pkcs8", format: "pem" }),
  };
}
