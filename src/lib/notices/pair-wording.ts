import type { PairNotice } from '../mail/queue.ts';
import { closing, dateWords, onOneLine, opening, type Sender, type Wording } from './wording.ts';

/** The subject, what happened, and what it means. */
const WORDS: Record<PairNotice['what'], [subject: string, what: string, meaning: string]> = {
  'passive-away': [
    'KeyTrustee Passive Server Away',
    'Its passive server is away since',
    `Machines still get their keys. Nothing new is taken: registrations, keys and
changes of organizations are refused until the passive server is back.`,
  ],
  degraded: [
    'KeyTrustee Pair Degraded',
    'It goes on without its passive server, which is away since',
    `HA_WRITE_POLICY has it so. What is acknowledged from now on is on the active
server alone, and is lost with it, until the passive server is back.`,
  ],
  restored: [
    'KeyTrustee Pair Restored',
    'Its passive server has caught up. It was away since',
    'Both servers have everything again, and each change waits for both.',
  ],
};

const TO_DO = `What is wrong, and what to do, is shown on either server by

  ktadmin ha status

`;

/** Tells what became of a pair, and what that means. */
export function pairWording(sender: Sender, { what, active, passive, since }: PairNotice): Wording {
  const [subject, happened, meaning] = WORDS[what];
  return {
    subject,
    text: `${opening(sender, 'an automatic')}
${happened}
${dateWords(new Date(since))}.

  active       ${onOneLine(active)}
  passive      ${onOneLine(passive)}

${meaning}

${what === 'restored' ? '' : TO_DO}${closing(sender)}`,
  };
}
