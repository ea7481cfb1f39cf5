import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { credentials, type ChannelCredentials } from "@grpc/grpc-js";
import { ArgumentError } from "./errors.js";

/** What is trusted of the service, and what is shown to it. Certificate and key come together. */
export interface TlsOptions {
  /** PEM file of the authorities to trust; unless given, those that Node.js ships with. */
  readonly caFile?: string | undefined;
  /** PEM file of the client's certificate, intermediate ones after it; unless given, none is shown. */
  readonly certificateFile?: string | undefined;
  /** PEM file of its private key, without a password. */
  readonly keyFile?: string | undefined;
}

const PARTS = ["ca", "certificate", "key"] as const;
type Part = (typeof PARTS)[number];
const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The contents of the files, checked. */
export class Tls {
  readonly #options: TlsOptions;
  readonly #contents: Readonly<Record<Part, Buffer | null>>;

  /**
   * Reads the files.
   *
   * @throws ArgumentError if one cannot be read or is not in PEM form, or certificate and key do not belong together.
   */
  constructor(options: TlsOptions) {
    this.#options = options;
    this.#contents = { ca: this.#read("ca"), certificate: this.#read("certificate"), key: this.#read("key") };
    this.#check();
  }

  /** Whether the client shows a certificate. */
  get showsCertificate(): boolean {
    return this.#contents.certificate !== null;
  }

  /**
   * Returns what the files contain now; the same object if nothing has changed.
   *
   * @throws ArgumentError if the new contents do not fit together, as while they are being replaced.
   */
  reread(): Tls {
    const now = new Tls(this.#options);
    const same = (part: Part) => Buffer.compare(now.#bytes(part), this.#bytes(part)) === 0;
    return PARTS.every(same) ? this : now;
  }

  /** Returns what a channel takes. */
  credentials(): ChannelCredentials {
    return credentials.createSsl(this.#contents.ca, this.#contents.key, this.#contents.certificate);
  }

  #bytes(part: Part): Buffer {
    return this.#contents[part] ?? Buffer.alloc(0);
  }

  #read(part: Part): Buffer | null {
    const file = this.#options[`${part}File`];
    if (!file) {
      return null;
    }
    try {
      return readFileSync(file);
    } catch (error) {
      throw new ArgumentError(`tls: the ${part} cannot be read: ${file}`, { cause: error });
    }
  }

  #check(): void {
    const { ca, certificate, key } = this.#contents;
    if ((certificate === null) !== (key === null)) {
      throw new ArgumentError("tls: certificate and key come together");
    }
    if (ca !== null) {
      this.#certificates("ca", ca);
    }
    if (
      certificate !== null &&
      key !== null &&
      !this.#certificates("certificate", certificate).checkPrivateKey(this.#key(key))
    ) {
      throw new ArgumentError(`tls: the key is not that of the certificate: ${this.#options.keyFile}`);
    }
  }

  /** Returns the first certificate, after reading them all. */
  #certificates(part: Part, pem: Buffer): X509Certificate {
    try {
      const [first] = (pem.toString("latin1").match(CERTIFICATES) ?? []).map((block) => new X509Certificate(block));
      if (first !== undefined) {
        return first;
      }
    } catch {
      // As one that is in no PEM form.
    }
    throw new ArgumentError(`tls: the ${part} is not in PEM form: ${this.#options[`${part}File`]}`);
  }

  #key(pem: Buffer) {
    try {
      return createPrivateKey(pem);
    } catch {
      throw new ArgumentError(`tls: the key is not in PEM form, or has a password: ${this.#options.keyFile}`);
    }
  }
}
