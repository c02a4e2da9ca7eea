// A certificate for tests, made when one is needed: a key that is published is nobody's secret,
// and a certificate that is kept ends some day. What it takes of X.509 (RFC 5280) and DER is so
// little that a package for it would be the larger part.
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

/** A certificate and its key, as PEM. */
export interface CertificateAndKey {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;

const Tag = {
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_IDENTIFIER: 0x06,
  UTF8_STRING: 0x0c,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
  VERSION: 0xa0,
  EXTENSIONS: 0xa3,
  DNS_NAME: 0x82,
  IP_ADDRESS: 0x87,
} as const;

const COMMON_NAME = [0x55, 0x04, 0x03]; // 2.5.4.3
const SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11]; // 2.5.29.17
const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]; // 1.2.840.10045.4.3.2

const encoder = new TextEncoder();

/** Makes a certificate for this machine that signs itself and is good for some days. */
export function selfSigned(): CertificateAndKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = der(Tag.SEQUENCE, der(Tag.OBJECT_IDENTIFIER, ECDSA_WITH_SHA256));
  const name = der(
    Tag.SEQUENCE,
    der(
      Tag.SET,
      der(
        Tag.SEQUENCE,
        der(Tag.OBJECT_IDENTIFIER, COMMON_NAME),
        der(Tag.UTF8_STRING, encoder.encode("localhost")),
      ),
    ),
  );
  const validity = der(Tag.SEQUENCE, time(-DAY_MS), time(30 * DAY_MS));
  const names = der(
    Tag.SEQUENCE,
    der(Tag.DNS_NAME, encoder.encode("localhost")),
    der(Tag.IP_ADDRESS, [127, 0, 0, 1]),
    der(Tag.IP_ADDRESS, [...Array(15).fill(0), 1]),
  );
  const extension = der(
    Tag.SEQUENCE,
    der(Tag.OBJECT_IDENTIFIER, SUBJECT_ALT_NAME),
    der(Tag.OCTET_STRING, names),
  );
  const certificate = der(
    Tag.SEQUENCE,
    der(Tag.VERSION, der(Tag.INTEGER, [2])), // v3
    der(Tag.INTEGER, [0x01, ...randomBytes(8)]), // positive, whatever is random
    algorithm,
    name,
    validity,
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(Tag.EXTENSIONS, der(Tag.SEQUENCE, extension)),
  );
  const signature = der(Tag.BIT_STRING, [0], sign("sha256", certificate, privateKey));
  return {
    cert: pem("CERTIFICATE", der(Tag.SEQUENCE, certificate, algorithm, signature)),
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

// A tag, the length of what follows, and that.
function der(tag: number, ...contents: readonly ArrayLike<number>[]): Uint8Array {
  const length = contents.reduce((sum, { length }) => sum + length, 0);
  const head = length < 0x80
    ? [tag, length]
    : length < 0x100
    ? [tag, 0x81, length]
    : [tag, 0x82, length >> 8, length & 0xff];
  const bytes = new Uint8Array(head.length + length);
  let at = 0;
  for (const part of [head, ...contents]) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function time(fromNow: number): Uint8Array {
  const text = new Date(Date.now() + fromNow).toISOString().replace(/\.\d+|[-:T]/g, "");
  return der(Tag.GENERALIZED_TIME, encoder.encode(text));
}

function pem(label: string, bytes: Uint8Array): string {
  const lines = bytes.toBase64().match(/.{1,64}/g)!.join("\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
