/**
 * X.509 certificates for the test cluster: an authority and what it signs, ECDSA on P-256.
 *
 * `node:crypto` signs but cannot make certificates, and the npm libraries that can bring two dozen
 * packages for what is, for the one algorithm needed here, a page of DER (RFC 5280, X.690). The strict
 * parsers of Go (kube-apiserver, kubectl) and rustls (Deno) read the result in every test.
 */
import { Buffer } from "node:buffer";
import {
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { isIP } from "node:net";

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** Who a certificate speaks for. Kubernetes reads `commonName` as the user, `organizations` as its groups. */
export interface Subject {
  readonly commonName: string;
  readonly organizations?: readonly string[];
}

/** All test authorities share it: an issuer is found by name, its signature tells them apart. */
const AUTHORITY_NAME = "k8s-lock test authority";

const DAY_MS = 86_400_000;
/** Wide both ways: tests set a client's wall clock back and forth, and its TLS must still work. */
const VALID_EACH_WAY_MS = 400 * DAY_MS;

const OID = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  organization: "2.5.4.10",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  extendedKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
  clientAuth: "1.3.6.1.5.5.7.3.2",
} as const;

/** A new self-signed authority. */
export function newAuthority(): KeyPair {
  const { privateKey, publicKey } = newKeys();
  const subject = { commonName: AUTHORITY_NAME };
  const extensions = [
    extension(OID.basicConstraints, "critical", sequence(boolean(true))),
    // keyCertSign (bit 5), cRLSign (bit 6).
    extension(OID.keyUsage, "critical", der(0x03, Buffer.from([1, 0b0000_0110]))),
  ];
  return signed({
    subject,
    issuer: subject,
    publicKey,
    extensions,
    signer: privateKey,
    key: privateKey,
  });
}

/** A certificate for a TLS server that is reached by these addresses (IP addresses or DNS names). */
export function newServerCertificate(
  authority: KeyPair,
  subject: Subject,
  addresses: readonly string[],
): KeyPair {
  const names = addresses.map((address) =>
    isIP(address) === 4
      ? der(0x87, Buffer.from(address.split(".").map(Number)))
      : der(0x82, Buffer.from(address, "ascii"))
  );
  return issue(authority, subject, OID.serverAuth, [
    extension(OID.subjectAltName, "optional", sequence(...names)),
  ]);
}

/** A certificate with which a client proves to be `subject`. */
export function newClientCertificate(authority: KeyPair, subject: Subject): KeyPair {
  return issue(authority, subject, OID.clientAuth, []);
}

/** A private key for signing service account tokens, and its public half, both PEM. */
export function newTokenKey(): { readonly privateKey: string; readonly publicKey: string } {
  const { privateKey, publicKey } = newKeys();
  return {
    privateKey: pem(privateKey),
    publicKey: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

function issue(authority: KeyPair, subject: Subject, purpose: string, more: Buffer[]): KeyPair {
  const { privateKey, publicKey } = newKeys();
  const extensions = [
    extension(OID.keyUsage, "critical", der(0x03, Buffer.from([7, 0b1000_0000]))), // digitalSignature
    extension(OID.extendedKeyUsage, "optional", sequence(oid(purpose))),
    ...more,
  ];
  return signed({
    subject,
    issuer: { commonName: AUTHORITY_NAME },
    publicKey,
    extensions,
    signer: createPrivateKey(authority.key),
    key: privateKey,
  });
}

interface ToSign {
  subject: Subject;
  issuer: Subject;
  publicKey: KeyObject;
  extensions: Buffer[];
  signer: KeyObject;
  key: KeyObject;
}

function signed({ subject, issuer, publicKey, extensions, signer, key }: ToSign): KeyPair {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const serial = randomBytes(16);
  serial[0] = (serial[0] ?? 0) & 0x7f | 0x40; // positive and without leading zeros, as DER wants it
  const now = Date.now();
  const body = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, serial),
    algorithm,
    name(issuer),
    sequence(time(now - VALID_EACH_WAY_MS), time(now + VALID_EACH_WAY_MS)),
    name(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign("sha256", body, signer)]));
  const base64 = sequence(body, algorithm, signature).toString("base64");
  const lines = base64.match(/.{1,64}/g)?.join("\n") ?? "";
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: pem(key),
  };
}

function newKeys(): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function pem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

function name({ commonName, organizations = [] }: Subject): Buffer {
  const part = (type: string, value: string) =>
    der(0x31, sequence(oid(type), der(0x0c, Buffer.from(value, "utf8"))));
  return sequence(
    ...organizations.map((value) => part(OID.organization, value)),
    part(OID.commonName, commonName),
  );
}

function extension(id: string, weight: "critical" | "optional", value: Buffer): Buffer {
  const critical = weight === "critical" ? [boolean(true)] : [];
  return sequence(oid(id), ...critical, der(0x04, value));
}

function der(tag: number, content: Buffer): Buffer {
  const size = content.length;
  const length = size < 0x80
    ? [size]
    : size < 0x100
    ? [0x81, size]
    : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function boolean(value: boolean): Buffer {
  return der(0x01, Buffer.from([value ? 0xff : 0]));
}

/** UTCTime, as RFC 5280 wants it for years before 2050. */
function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "").slice(2);
  return der(0x17, Buffer.from(text, "ascii"));
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const base128 = (value: number): number[] => {
    const digits = [value & 0x7f];
    for (let left = value >> 7; left > 0; left >>= 7) digits.unshift(left & 0x7f | 0x80);
    return digits;
  };
  return der(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}
