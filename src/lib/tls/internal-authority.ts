import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import type { X509CertificateCreateParamsName } from '@peculiar/x509';
import { load } from '../core/lazy.ts';
import { alternativeName, alternativeNames } from './names.ts';
import { newPrivateKey } from './new-key.ts';
import type { CertificatePair } from './self-signed.ts';
import { signerOf } from './signer.ts';

/** An authority ends with its pair; a certificate of it costs nothing to make anew. Days. */
const AUTHORITY_DAYS = 10_950;
const CERTIFICATE_DAYS = 3650;
const DAY = 86_400_000;
const HOUR = 3_600_000;

const serialNumber = () => `4${randomBytes(16).toString('hex').slice(1)}`;

const validFor = (days: number) => ({
  notBefore: new Date(Date.now() - HOUR),
  notAfter: new Date(Date.now() + days * DAY),
});

async function signItself(privateKey: string, name: X509CertificateCreateParamsName): Promise<string> {
  const x509 = await load('x509');
  const { algorithm, keys } = await signerOf(createPrivateKey(privateKey));
  const { keyCertSign, cRLSign } = x509.KeyUsageFlags;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: serialNumber(),
      name,
      ...validFor(AUTHORITY_DAYS),
      signingAlgorithm: algorithm,
      keys: keys as never,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(keyCertSign | cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey as never),
      ],
    },
    webcrypto as never,
  );
  return `${certificate.toString('pem')}\n`;
}

/** Makes an authority (P-256, PEM) that signs certificates of the servers of one pair, and nothing else. */
export async function makeInternalAuthority(): Promise<CertificatePair> {
  const privateKey = await newPrivateKey('p256');
  const name = [{ CN: [`Key Trustee replication ${randomBytes(4).toString('hex')}`] }];
  return { certificate: await signItself(privateKey, name), privateKey };
}

/**
 * Makes the certificate of an authority anew, of the same key and name: what it has signed stays good, also for a server
 * that has another certificate of it. So each server of a pair renews it by itself.
 */
export async function renewInternalAuthority(authority: CertificatePair): Promise<string> {
  const x509 = await load('x509');
  const { subjectName } = new x509.X509Certificate(authority.certificate);
  return signItself(authority.privateKey, new x509.Name(subjectName.toArrayBuffer()));
}

/**
 * Signs a certificate (P-256, PEM) with which a server both answers and asks: `name` is its subject, `hosts` are the names and
 * addresses by which it is reached.
 */
export async function issueInternalCertificate(
  authority: CertificatePair,
  name: string,
  hosts: string[],
): Promise<CertificatePair> {
  const x509 = await load('x509');
  const issuer = new x509.X509Certificate(authority.certificate);
  const signer = await signerOf(createPrivateKey(authority.privateKey));
  const privateKey = await newPrivateKey('p256');
  const { keys } = await signerOf(createPrivateKey(privateKey));
  const [first = name, ...others] = hosts;
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serialNumber(),
      subject: [{ CN: [name] }] as never,
      issuer: issuer.subject,
      ...validFor(CERTIFICATE_DAYS),
      signingAlgorithm: signer.algorithm,
      publicKey: keys.publicKey as never,
      signingKey: signer.keys.privateKey as never,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth]),
        new x509.SubjectAlternativeNameExtension(alternativeNames(first, others.map(alternativeName))),
        await x509.AuthorityKeyIdentifierExtension.create(issuer, false, webcrypto as never),
      ],
    },
    webcrypto as never,
  );
  return { certificate: `${certificate.toString('pem')}\n`, privateKey };
}
