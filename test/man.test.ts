/** The manual pages say what the program does: every option, setting, variable and exit status, and no other. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfiguration } from '../src/lib/core/configuration.ts';
import { configurationFields } from '../src/lib/core/configuration-fields.ts';
import { STATUS, STATUS_MEANING, type StatusName } from '../src/lib/core/errors.ts';
import { assemble } from '../src/lib/terminal/assemble.ts';
import type { CommandNode } from '../src/lib/terminal/command.ts';
import { readWords } from '../src/lib/terminal/words.ts';
import { commandTree } from '../src/registry.ts';

const top = join(import.meta.dirname, '..');
const pages = new Map(
  readdirSync(join(top, 'man')).map((file) => [
    file.replace(/\.md$/, ''),
    readFileSync(join(top, 'man', file), 'utf8'),
  ]),
);
const page = (name: string): string => pages.get(name) ?? '';
/** How a terminal without colours is told to print bold: a letter, a backspace, the letter. */
const overstrike = new RegExp(`.${String.fromCharCode(8)}`, 'g');
const manuals = [
  'ktadmin.8',
  'keytrustee-orgtool.8',
  'ktbackup.8',
  'keytrusteed.8',
  'ktadmin-cert.8',
  'ktadmin-ha.8',
  'keytrustee.1',
];

/** What must stand in a page: under each heading, its terms in their order. */
type Terms = Record<string, string[]>;

const EVERY = 'OPTIONS OF EVERY COMMAND';
const HELP = ['-h, --help', '--version'];

/** Flags as a page writes them: the value's name without brackets. */
const flags = (text: string) => text.replace(/[<>]/g, '');

/** Where a command stands: its page and the heading under which its options are. */
function placeOf(words: string[]): [manual: string, heading: string] {
  if (words[0] === 'backup')
    return ['ktbackup.8', words.length === 1 ? 'OPTIONS' : `ktbackup ${words.slice(1).join(' ')}`];
  if (words[0] === 'client') return ['keytrustee.1', `keytrustee ${words.slice(1).join(' ')}`];
  if (words[0] === 'cert' || words[0] === 'ha')
    return [`ktadmin-${words[0]}.8`, `ktadmin ${words.join(' ')}`];
  if (words[0] === 'serve') return ['keytrusteed.8', 'OPTIONS'];
  if (words[0] === 'orgtool') return ['keytrustee-orgtool.8', `keytrustee-${words.join(' ')}`];
  return ['ktadmin.8', `ktadmin ${words.join(' ')}`];
}

async function* commands(
  node: CommandNode,
  words: string[] = [],
): AsyncGenerator<[words: string[], CommandNode]> {
  if (node.load !== undefined) yield [words, node];
  for (const child of node.children) yield* commands(child, [...words, child.name]);
}

/** What the command tree says that the pages must say. `hidden` options exist, but need not be named. */
async function wantedTerms(): Promise<{ terms: Map<string, Terms>; hidden: string[] }> {
  const terms = new Map(manuals.map((name): [string, Terms] => [name, {}]));
  const hidden: string[] = [];
  for await (const [words, node] of commands(commandTree())) {
    const specs = Object.values((await node.load?.())?.default.options ?? {});
    const own = specs.filter((spec) => !spec.isHidden).map((spec) => spec.flags);
    hidden.push(...specs.filter((spec) => spec.isHidden).map((spec) => spec.flags));
    const root = commandTree();
    let place = await assemble(root, readWords(root, words), async () => undefined);
    for (const word of words)
      place = place.commands.find((each) => each.name() === word) ?? expect.fail(words.join(' '));
    const shown = place.options.filter((option) => !option.hidden).map((option) => option.flags);
    const [manual, heading] = placeOf(words);
    const found = terms.get(manual) ?? {};
    found[heading] = own.map(flags);
    found[EVERY] = [...shown.filter((each) => !own.includes(each)).map(flags), ...HELP];
    terms.set(manual, found);
  }
  return { terms, hidden };
}

/** The parts of a page by their headings, commands' among them. */
function sections(text: string): Map<string, string> {
  const parts = text.split(/^##+ (.*)\n/m).slice(1);
  return new Map(
    parts.flatMap((part, index): [string, string][] =>
      index % 2 === 0 ? [[part, parts[index + 1] ?? '']] : [],
    ),
  );
}

const withoutTypography = (text: string) =>
  text.replace(/`([^`]*)`|_([^_`]+)_/g, (_, code?: string, value?: string) => code ?? value ?? '');

/** The terms of a part's lists, without their typography. */
function termsOf(part: string): string[] {
  return [...part.matchAll(/^- (.*):\n {2}\S/gm)].map((match) => withoutTypography(match[1] ?? ''));
}

function definitionsOf(part: string): Record<string, string> {
  const found = [...part.matchAll(/^- `(.*)`:\n {2}(.*)$/gm)];
  return Object.fromEntries(found.map(([, term = '', text = '']) => [term, text]));
}

/** Compares a page with what the command tree wants of it; each difference is a line. */
function optionFaults(text: string, wanted: Terms): string[] {
  const parts = sections(text);
  const faults: string[] = [];
  for (const [heading, terms] of Object.entries(wanted)) {
    const part = parts.get(heading);
    const found = termsOf(part ?? '');
    if (part === undefined) faults.push(`no section ${heading}`);
    faults.push(...terms.filter((term) => !found.includes(term)).map((term) => `${heading} lacks ${term}`));
    faults.push(...found.filter((term) => !terms.includes(term)).map((term) => `${heading} invents ${term}`));
  }
  for (const [heading, part] of parts) {
    if (!(heading in wanted) && termsOf(part).some((term) => term.startsWith('-')))
      faults.push(`${heading} has options of its own`);
  }
  return faults;
}

/** Long options that a page names anywhere (but in the examples, on lines of other programs) and that nothing has. */
function inventedOptions(text: string, known: Set<string>): string[] {
  const ours = text.replaceAll(/^(?:sudo (?:-u \S+ )?)?(?:gpg|tar|psql|jq) .*$/gm, '');
  return [...new Set(ours.match(/(?<![\w-])--[a-z][a-z-]*/g) ?? [])].filter((option) => !known.has(option));
}

describe('options', () => {
  let wanted: Awaited<ReturnType<typeof wantedTerms>>;
  beforeAll(async () => {
    wanted = await wantedTerms();
  });

  test.each(manuals)('%s has every option of its commands, and no other', (name) => {
    expect(optionFaults(page(name), wanted.terms.get(name) ?? {})).toEqual([]);
  });

  test.each(manuals)('%s names no option that does not exist', (name) => {
    const all = [...wanted.terms.values()].flatMap((terms) => Object.values(terms).flat());
    const known = new Set([...all, ...wanted.hidden].join(' ').match(/--[a-z-]+/g));
    // Old forms, and an option of rsync in the procedure of a pair.
    for (const form of ['--start', '--stop', '--restart', '--status', '--exclude']) known.add(form);
    expect(inventedOptions(page(name), known)).toEqual([]);
    expect(inventedOptions(`${page(name)}\nktadmin init --forse`, known)).toEqual(['--forse']);
  });

  test('an option that a page lacks, invents or gives another value is found', () => {
    const text = page('keytrustee-orgtool.8');
    const terms = wanted.terms.get('keytrustee-orgtool.8') ?? {};
    const without = text.replace('- `--redact`:\n  Hide the authorization codes.\n', '');
    expect(optionFaults(without, terms)).toEqual(['keytrustee-orgtool list lacks --redact']);
    const more = text.replace('- `--redact`:', '- `--redact`, `--hide`:');
    expect(optionFaults(more, terms)).toEqual([
      'keytrustee-orgtool list lacks --redact',
      'keytrustee-orgtool list invents --redact, --hide',
    ]);
    const other = text.replace('- `--state` _state_:', '- `--state` _word_:');
    expect(optionFaults(other, terms)).toHaveLength(2);
    const gone = text.replace('### keytrustee-orgtool enable\n', '');
    expect(optionFaults(gone, terms)).toContain('no section keytrustee-orgtool enable');
  });

  test('every command has its place, and every place its command', () => {
    for (const [name, terms] of wanted.terms) {
      const headings = [...page(name).matchAll(/^### (.*)$/gm)].map((match) => match[1]);
      const named = Object.keys(terms).filter((heading) => heading !== EVERY && heading !== 'OPTIONS');
      expect(headings).toEqual(named);
    }
  });
});

test.each(manuals)('EXIT STATUS of %s is the table of the program', (name) => {
  const names = Object.keys(STATUS) as StatusName[];
  const table = Object.fromEntries(names.map((each) => [String(STATUS[each]), STATUS_MEANING[each]]));
  const exitStatus = (text: string) => definitionsOf(sections(text).get('EXIT STATUS') ?? '');
  expect(exitStatus(page(name))).toEqual({ ...table, '128+n': 'ended by signal n' });
  expect(exitStatus(page(name).replace('- `75`:', '- `76`:'))).not.toHaveProperty('75');
});

test('keytrustee.conf(5) has every setting, and no other', () => {
  const settings = (text: string) =>
    termsOf(sections(text).get('SETTINGS') ?? '').map((term) => term.split(' ')[0]);
  const text = page('keytrustee.conf.5');
  expect(settings(text)).toEqual(Object.keys(configurationFields));
  expect(settings(text.replace(/- `DB_PORT`.*:\n/, ''))).not.toEqual(Object.keys(configurationFields));
  const example = JSON.parse(/```\n([\s\S]*?)```/.exec(text)?.[1] ?? '') as Record<string, unknown>;
  expect(parseConfiguration('the example', example)).toMatchObject(example);
  const { EXTERNAL_ADDRESS: _, ...less } = example;
  expect(() => parseConfiguration('the example', less)).toThrow('EXTERNAL_ADDRESS is missing');
});

test('ktadmin(8) has every variable that the program reads, and no page has another', () => {
  const source = readFileSync(join(top, 'src/lib/core/config.ts'), 'utf8');
  const named = [...source.matchAll(/nonEmpty\('(\w+)'\)/g)].map((match) => match[1] ?? '');
  // This one the program sets for itself, and nobody else is to set it.
  const read = named.filter(
    (variable) => !['KTADMIN_HANDOVER', 'KTADMIN_KILL_AT', 'KTADMIN_STOP_AT'].includes(variable),
  );
  const variables = (name: string) => termsOf(sections(page(name)).get('ENVIRONMENT') ?? '');
  expect(variables('ktadmin.8').toSorted()).toEqual(read.toSorted());
  for (const name of manuals) for (const variable of variables(name)) expect(read).toContain(variable);
});

test('ktadmin-ha(8) has every code of a remark on a pair, and no other', () => {
  const directory = join(top, 'src/lib/replication');
  const files = readdirSync(directory).filter((file) => file.startsWith('judge'));
  const source = files.map((file) => readFileSync(join(directory, file), 'utf8')).join('');
  const codes = [...source.matchAll(/\[\s*'(?:critical|warning|fine)',\s*'([^']+)'\s*\]/g)].map(
    ([, code]) => code,
  );
  const [, list = ''] = /The codes never change:([^.]*)\./.exec(page('ktadmin-ha.8')) ?? [];
  const told = [...list.matchAll(/`([^`]+)`/g)].map(([, code]) => code);
  expect(told.toSorted()).toEqual([...new Set(codes)].toSorted());
});

describe('rendering', () => {
  const directory = mkdtempSync(join(tmpdir(), 'ktadmin-man-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const mandoc = spawnSync('mandoc', ['-V']).error === undefined;

  beforeAll(() => {
    const made = spawnSync(process.execPath, [join(top, 'scripts', 'man.mjs'), directory], {
      encoding: 'utf8',
    });
    expect(made).toMatchObject({ status: 0, stderr: '' });
  });

  test('package.json names the pages, all of them', () => {
    const { man } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { man: string[] };
    expect(man.toSorted()).toEqual([...pages.keys()].map((name) => `dist/man/${name}`).toSorted());
    expect(readdirSync(directory).toSorted()).toEqual([...pages.keys()].toSorted());
  });

  test.each([...pages.keys()])('%s has the sections of a manual page', (name) => {
    const roff = readFileSync(join(directory, name), 'utf8');
    const headings = [...roff.matchAll(/^\.SH "?([A-Z ]+)"?$/gm)].map((match) => match[1]);
    const needed = ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'FILES', 'EXAMPLES', 'SEE ALSO'];
    expect(headings).toEqual(expect.arrayContaining(needed));
    if (manuals.includes(name))
      expect(headings).toEqual(expect.arrayContaining(['ENVIRONMENT', 'EXIT STATUS']));
    expect(headings).toEqual(
      expect.arrayContaining([...page(name).matchAll(/^## (.*)$/gm)].map((match) => match[1])),
    );
  });

  test.skipIf(!mandoc)('mandoc finds no fault in any page (skipped where mandoc is not installed)', () => {
    for (const name of pages.keys()) {
      const lint = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', join(directory, name)], {
        encoding: 'utf8',
      });
      expect(lint).toMatchObject({ status: 0, stdout: '' });
    }
  });

  test.skipIf(!mandoc)('what mandoc shows has every term (skipped where mandoc is not installed)', () => {
    for (const [name, text] of pages) {
      const shown = spawnSync('mandoc', ['-T', 'utf8', join(directory, name)], { encoding: 'utf8' });
      const plain = shown.stdout.replaceAll(overstrike, '').replaceAll(/\s+/g, ' ');
      for (const part of sections(text).values())
        for (const term of termsOf(part)) expect(plain).toContain(` ${term} `);
    }
  });
});
