import type { OnlyResult } from '../backups/only/only.ts';
import { changesNothing, type OnlyPlan } from '../backups/only/plan.ts';
import { listed, type Selection } from '../backups/only/selection.ts';
import type { SetContents } from '../backups/restore/contents.ts';
import { counted } from '../core/counted.ts';
import { failure } from '../core/errors.ts';
import { quote } from '../core/quote.ts';
import { checkOrganizationName } from '../organizations/names.ts';

type Only = { organization: string } | { deposit: string };

/** Checks what `--only` was given: `organization=NAME` or `deposit=UUID`. */
export function parseOnly(text: string): Only {
  const [, kind, value = ''] = /^(organization|deposit)=(.*)$/s.exec(text) ?? [];
  if (kind === 'organization') return { organization: checkOrganizationName(value) };
  if (kind === 'deposit' && /^[0-9A-Za-z]{43}$/.test(value)) return { deposit: value };
  throw failure(
    'usage',
    kind === 'deposit' ? `${quote(value)} is not the uuid of a deposit` : `${quote(text)} says not what`,
    kind === 'deposit' ? 'a uuid has 43 letters and digits' : 'give organization=NAME or deposit=UUID',
  );
}

/** All that `--only` was given; what was given twice counts once. */
export function selectionOf(only: Only[]): Selection {
  const organizations = only.flatMap((each) => ('organization' in each ? [each.organization] : []));
  const deposits = only.flatMap((each) => ('deposit' in each ? [each.deposit] : []));
  return { organizations: [...new Set(organizations)], deposits: [...new Set(deposits)] };
}

const ROWS = ['organizations', 'contacts', 'clients', 'deposits'] as const;
const NOUNS = { organizations: 'organization', contacts: 'contact', clients: 'client', deposits: 'deposit' };

/** What a partial restore will do, in words. */
export function describeOnlyPlan(plan: OnlyPlan, { manifest }: SetContents): string {
  const { deposits, organizationsBack, disabled } = plan;
  const rows = ROWS.map((name) => {
    const { added, present } = plan[name];
    return `  ${name.padEnd(14)} ${added} to add, ${present} there already`;
  });
  const notes: [boolean, string][] = [
    [deposits.undeleted > 0, `undeleted, as named by uuid: ${counted(deposits.undeleted, 'deposit')}`],
    [deposits.deleted > 0, `deleted since, and to stay so: ${counted(deposits.deleted, 'deposit')}`],
    [
      organizationsBack.length > 0,
      `${listed(organizationsBack)} comes back with the code and the state it had`,
    ],
    [
      disabled.organizations.length > 0,
      `organization ${listed(disabled.organizations)} comes back disabled, for its deposit's sake`,
    ],
    [
      disabled.clients.length > 0,
      `client ${listed(disabled.clients)} comes back disabled, for its deposit's sake`,
    ],
  ];
  return [
    `set of ${manifest.host}, ${manifest.fingerprint}, made ${manifest.created}`,
    ...rows,
    ...notes.filter(([applies]) => applies).map(([, text]) => `  ${text}`),
  ].join('\n');
}

/** What a partial restore did, in words. */
export function describeOnlyResult(result: OnlyResult): string {
  if (changesNothing(result)) return 'Nothing to add: all of it is there already\n';
  const added = ROWS.map((name) => counted(result[name].added, NOUNS[name])).join(', ');
  const back = result.deposits.undeleted;
  const undeleted = back > 0 ? `; undeleted ${counted(back, 'deposit')}` : '';
  const { organizations, clients } = result.disabled;
  const enable = [
    ...organizations.map((name) => `ktadmin orgtool enable -n ${name}`),
    ...clients.map((fingerprint) => `ktadmin orgtool enable-client --fingerprint ${fingerprint}`),
  ];
  const said = `${result.dryRun ? 'Would add' : 'Added'} ${added}${undeleted}\n`;
  return enable.length === 0 ? said : `${said}To let in what came back disabled:\n  ${enable.join('\n  ')}\n`;
}
