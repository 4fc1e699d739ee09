import {
  createMessage,
  enums,
  generateKey,
  type PublicKey,
  readSignature,
  type SignaturePacket,
} from 'openpgp';
import { KEY_SETTINGS, KeyRefused, readStrongKey } from './key-policy.ts';

/** What is to be found out: whether `signature` over `text` was made by `key`. A null key stands for one that nobody has. */
export interface ProofTask {
  key: string | null;
  signature: string;
  text: string;
}

/** What was found: the key's fingerprint, the key itself in clean armour, and whether the signature is good; or why the key is not taken. */
export type Proof = { fingerprint: string; publicKey: string; isProven: boolean } | { refused: string };

let decoy: Promise<string> | undefined;

/** A key of the kind that clients make, whose secret half is thrown away at once. */
function decoyKey(): Promise<string> {
  decoy ??= generateKey({ type: 'ecc', curve: 'curve25519Legacy', userIDs: [{ name: 'nobody' }] }).then(
    ({ publicKey }) => publicKey,
  );
  return decoy;
}

async function readOneSignature(armour: string): Promise<SignaturePacket> {
  const { packets } = await readSignature({ armoredSignature: armour });
  const [packet] = packets;
  if (packet === undefined || packets.length > 1) throw new Error('not one signature');
  return packet;
}

/**
 * Whether a signature is good now. That the key may sign is asked for this moment; when the signature says that it was
 * made is not asked, because a challenge is fresh by itself and clocks of clients are not.
 */
async function isSignedBy(key: PublicKey, task: ProofTask): Promise<boolean> {
  const packet = await readOneSignature(task.signature);
  // A signature for a key that nobody has is computed as if it were the decoy's, so that it takes its time.
  if (task.key === null) packet.issuerKeyID = key.getKeyID();
  const signer = await key.getSigningKey(packet.issuerKeyID, new Date(), undefined, KEY_SETTINGS);
  const { binary } = enums.signature;
  if (packet.signatureType !== binary) return false;
  const message = await createMessage({ binary: Buffer.from(task.text) });
  await packet.verify(
    signer.keyPacket,
    binary,
    message.packets[0] as object,
    null as never,
    true,
    KEY_SETTINGS,
  );
  return task.key !== null;
}

/** Looks at a key and a signature over a text. Runs in the thread of `key-worker.ts` only. */
export async function prove(task: ProofTask): Promise<Proof> {
  try {
    const key = await readStrongKey(task.key ?? (await decoyKey()));
    const isProven = await isSignedBy(key, task).catch(() => false);
    return { fingerprint: key.getFingerprint().toUpperCase(), publicKey: key.armor(), isProven };
  } catch (error) {
    if (error instanceof KeyRefused) return { refused: error.message };
    throw error;
  }
}
