/** What the README shows and lists is so: its first ten minutes are run, its tables compared with the program. */
import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { STATUS, STATUS_MEANING, type StatusName } from '../src/lib/core/errors.ts';
import type { CommandNode } from '../src/lib/terminal/command.ts';
import { commandTree } from '../src/registry.ts';
import { asAccount, freePort, temporaryDirectory, world } from './support/sandbox.ts';

const top = join(import.meta.dirname, '..');
const readme = await readFile(join(top, 'README.md'), 'utf8');

function section(heading: string): string {
  return readme.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? expect.fail(heading);
}

interface Shown {
  command: string;
  output: string;
}

/** The commands of a section's console blocks, each with the output below it. */
function commandsOf(text: string): Shown[] {
  const blocks = [...text.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? '');
  return blocks
    .flatMap((block) => block.split(/^\$ /m).slice(1))
    .map((shown) => {
      const [command = '', ...output] = shown.trimEnd().split('\n');
      return { command, output: output.join('\n') };
    });
}

/** A script that runs the commands one after the other in one shell, with a line of its own before each output. */
const script = (commands: string[]) =>
  [
    'cd ~',
    ...commands.flatMap((command) => [
      `echo '@@@'`,
      command.endsWith('&') ? command : `{ ${command}; } 2>&1`,
    ]),
  ].join('\n');

/** Makes two outputs alike where they must differ: times, keys, secrets, places, ports, versions, sizes. */
function normalized(output: string, home: string, [https, database]: [number, number]): string {
  return output
    .split('\n')
    .filter((line) => !line.startsWith('gpg: '))
    .join('\n')
    .replaceAll(home, '/home/john')
    .replaceAll(new RegExp(`\\b${https}\\b`, 'g'), '11371')
    .replaceAll(new RegExp(`\\b${database}\\b`, 'g'), '11381')
    .replaceAll(/\d{4}-\d\d-\d\d([ T_])\d\d([:-])\d\d\2\d\d(?:[.,]\d{3})?/g, '(time)')
    .replaceAll(/\b[0-9A-F]{40}\b/g, '(fingerprint)')
    .replaceAll(/"(auth_secret|uuid)": ".+"/g, '"$1": "(random)"')
    .replaceAll(/^[0-9A-Za-z]{43}$/gm, '(deposit)')
    .replaceAll(/\(\d+ bytes\)/g, '(size)')
    .replaceAll(/pid \d+/g, 'pid (number)')
    .replaceAll(/^(version +).*$/gm, '$1(version)')
    .trim();
}

/** What a failure in the middle would leave running. */
async function endAll(home: string): Promise<void> {
  await asAccount('gpgconf', ['--homedir', join(home, 'kt-gnupg'), '--kill', 'all']);
  await asAccount(join(world.bin, 'ktadmin'), ['db', 'stop', '--pg-rootdir', join(home, 'kt', 'db')]);
}

const canRead = await asAccount('test', ['-r', join(top, 'dist', 'program.js')]).then(
  ({ status }) => status === 0,
);

test.skipIf(!canRead)(
  'the first ten minutes are as shown (skipped where the service account cannot read this checkout)',
  async () => {
    const shown = commandsOf(section('The first ten minutes'));
    expect(shown.length).toBeGreaterThan(12);
    const home = await temporaryDirectory();
    onTestFinished(() => endAll(home));
    const ports: [number, number] = [await freePort(), await freePort()];
    const commands = shown.map(({ command }) =>
      command
        .replace('ktadmin init', `ktadmin init --port ${ports[0]} --database-port ${ports[1]}`)
        .replace('localhost:11371', `localhost:${ports[0]}`),
    );
    const run = await asAccount('bash', ['-c', script(commands)], { env: { HOME: home } });
    expect(await readdir(home)).toEqual([]);
    const outputs = run.stdout.split('@@@\n').slice(1);
    const told = commands.map((_, index) => normalized(outputs[index] ?? '', home, ports));
    const promised = shown.map(({ output }) => normalized(output, '/home/john', [11371, 11381]));
    const pairs = (list: string[]) => list.map((output, index) => [shown[index]?.command, output]);
    expect(pairs(told)).toEqual(pairs(promised));
    expect(run.status).toBe(0);
  },
  240_000,
);

function tableOf(heading: string): [string, string][] {
  const rows = [...section(heading).matchAll(/^\| (.*?) +\| (.*?) +\|$/gm)];
  return rows.map((match): [string, string] => [match[1] ?? '', match[2] ?? '']).slice(2);
}

test('the table of commands has every command, and no other', () => {
  const names: string[] = [];
  const walk = (node: CommandNode, words: string[]) => {
    if (node.load !== undefined) names.push(words.join(' '));
    for (const child of node.children) walk(child, [...words, child.name]);
  };
  walk(commandTree(), ['ktadmin']);
  const called = names.map((name) =>
    name
      .replace(/^ktadmin orgtool/, 'keytrustee-orgtool')
      .replace(/^ktadmin client/, 'keytrustee')
      .replace(/^ktadmin backup$/, 'ktbackup'),
  );
  expect(tableOf('Commands').map(([command]) => command)).toEqual(called.map((name) => `\`${name}\``));
});

test('the table of exit statuses is the table of the program', () => {
  const names = Object.keys(STATUS) as StatusName[];
  const table = names.map((name) => [String(STATUS[name]), STATUS_MEANING[name]]);
  expect(tableOf('Exit statuses')).toEqual([...table, ['128+n', 'ended by signal n']]);
});

test('what the documents link to is there', async () => {
  const documents = ['design', 'security', 'certificates', 'reliability'].map((name) => `docs/${name}.md`);
  for (const document of ['README.md', 'CONTRIBUTING.md', ...documents]) {
    const text = await readFile(join(top, document), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\(([^)#]+)\)/g))
      if (!/^https?:/.test(target)) await access(join(top, document, '..', target));
  }
});

/** The commands that a text shows, each from `ktadmin` to the end of its line or of its quotes. */
const shownIn = (text: string) =>
  [...text.matchAll(/(?<=^|[`'] ?|; )ktadmin [^`'\n]+/gm)].map(([line]) => line);

/** What is wrong with a command line as a text shows it: no such command, or options that it does not have. */
async function faultsOf(line: string): Promise<string[]> {
  let node: CommandNode | undefined = commandTree();
  const words = line.split(' ').slice(1);
  while (words.length > 0 && node?.children.some(({ name }) => name === words[0])) {
    const word = words.shift();
    node = node.children.find(({ name }) => name === word);
  }
  if (node?.load === undefined) return [`${line}: there is no such command`];
  const specs = Object.values((await node.load()).default.options);
  const known = specs.flatMap(({ flags }) => flags.match(/--[a-z-]+/g) ?? []);
  const options = words.flatMap((word) => word.match(/^--[a-z-]+/) ?? []);
  const unknown = options.filter((option) => ![...known, '--json', '--quiet'].includes(option));
  return unknown.map((option) => `${line}: there is no ${option}`);
}

test('what docs/certificates.md has administrators type is there', async () => {
  const page = await readFile(join(top, 'docs/certificates.md'), 'utf8');
  const lines = shownIn(page).filter((line) => !line.startsWith('ktadmin keyhsm'));
  expect(lines.length).toBeGreaterThan(20);
  expect((await Promise.all(lines.map(faultsOf))).flat()).toEqual([]);
  expect(await faultsOf('ktadmin cert check --crt kts01.pem')).toHaveLength(1);
});
