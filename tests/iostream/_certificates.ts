// Certificates that live as long as a test run: an authority, and what it signs. Keys are of
// elliptic curves, so the lot takes some 60 ms.
import "reflect-metadata"; // @peculiar/x509 asks for it
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { isValidIp } from "../../iostream/mod.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;

let serial = 0;

/** A certificate and its key, as PEM. */
export interface CertificateAndKey {
  readonly cert: string;
  readonly key: string;
}

/** How a certificate differs from one that is good for a day. */
interface CertificateOptions {
  /** Host names and addresses. */
  readonly names?: readonly string[];
  /** What it is for. */
  readonly usage?: ExtendedKeyUsage;
  /** When it ends, in days from now. */
  readonly endsInDays?: number;
}

/** Signs certificates. */
export class Authority {
  /** Its own certificate, as PEM. */
  readonly cert: string;
  readonly #certificate: X509Certificate;
  readonly #keys: CryptoKeyPair;

  private constructor(certificate: X509Certificate, keys: CryptoKeyPair) {
    this.#certificate = certificate;
    this.#keys = keys;
    this.cert = certificate.toString("pem");
  }

  /** Makes an authority that nobody knows. */
  static async create(name: string): Promise<Authority> {
    const keys = await generateKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      serialNumber: nextSerial(),
      name: `CN=${name}`,
      ...validUntil(1),
      keys,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new BasicConstraintsExtension(true, undefined, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign),
      ],
    });
    return new Authority(certificate, keys);
  }

  /** Signs a certificate for a new key. */
  async sign(
    subject: string,
    { names = [], usage = ExtendedKeyUsage.serverAuth, endsInDays = 1 }: CertificateOptions = {},
  ): Promise<CertificateAndKey> {
    const keys = await generateKeys();
    const extensions: Extension[] = [
      new BasicConstraintsExtension(false),
      new ExtendedKeyUsageExtension([usage]),
    ];
    if (names.length > 0) {
      extensions.push(
        new SubjectAlternativeNameExtension(
          names.map((value) => ({
            type: isValidIp(value) ? "ip" as const : "dns" as const,
            value,
          })),
        ),
      );
    }
    const certificate = await X509CertificateGenerator.create({
      serialNumber: nextSerial(),
      subject: `CN=${subject}`,
      issuer: this.#certificate.subject,
      ...validUntil(endsInDays),
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHM,
      extensions,
    });
    const key = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
    return { cert: certificate.toString("pem"), key: PemConverter.encode(key, "PRIVATE KEY") };
  }
}

/** The authority of the test run. */
export const authority: Authority = await Authority.create("Test authority");

/** Of a server on this machine. */
export const localhost: CertificateAndKey = await authority.sign("localhost", {
  names: ["localhost", "127.0.0.1", "::1"],
});

/** Of a server elsewhere. */
export const elsewhere: CertificateAndKey = await authority.sign("other.example", {
  names: ["other.example"],
});

/** Of a server on this machine, until two days ago. */
export const expired: CertificateAndKey = await authority.sign("localhost", {
  names: ["localhost", "127.0.0.1"],
  endsInDays: -2,
});

/** Of a client. */
export const client: CertificateAndKey = await authority.sign("a client", {
  usage: ExtendedKeyUsage.clientAuth,
});

/** Of a client, by an authority that nobody knows. */
export const stranger: CertificateAndKey = await (await Authority.create("Another authority"))
  .sign("a stranger", { usage: ExtendedKeyUsage.clientAuth });

function nextSerial(): string {
  return (++serial).toString(16).padStart(4, "0");
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

function validUntil(days: number): { notBefore: Date; notAfter: Date } {
  const notAfter = Date.now() + days * DAY_MS;
  return { notBefore: new Date(notAfter - 5 * DAY_MS), notAfter: new Date(notAfter) };
}
