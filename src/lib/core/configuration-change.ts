import { readFile, stat } from 'node:fs/promises';
import { parseConfigurationText } from './configuration.ts';
import { writeAtomically } from './files.ts';

/** Values of settings; undefined takes a setting out. */
export type SettingChanges = Record<string, string | undefined>;

/** A member of the outermost object: where it begins and ends in the text, and where its value begins. */
interface Member {
  key: string;
  start: number;
  value: number;
  end: number;
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/** The members of the outermost object of a text that is known to be JSON. */
function membersOf(text: string): Member[] {
  const members: Member[] = [];
  let depth = 0;
  let open: Member | undefined;
  for (const { 0: token, index: start } of text.matchAll(TOKEN)) {
    const end = start + token.length;
    if (token === '}' || token === ']') depth -= 1;
    if (depth === 1 && token === ',') open = undefined;
    else if (depth >= 1 && open === undefined) {
      open = { key: JSON.parse(token) as string, start, value: 0, end };
      members.push(open);
    } else if (open !== undefined && depth >= 1 && !(depth === 1 && token === ':')) {
      if (open.value === 0) open.value = start;
      open.end = end;
    }
    if (token === '{' || token === '[') depth += 1;
  }
  return members;
}

function without(text: string, key: string): string {
  const members = membersOf(text);
  const place = members.findIndex((member) => member.key === key);
  const member = members[place];
  if (member === undefined) return text;
  const next = members[place + 1];
  const before = members[place - 1];
  const [start, end] =
    next === undefined ? [before?.end ?? member.start, member.end] : [member.start, next.start];
  return without(text.slice(0, start) + text.slice(end), key);
}

function withValue(text: string, key: string, value: string): string {
  const members = membersOf(text);
  const written = JSON.stringify(value);
  const own = members.findLast((member) => member.key === key);
  if (own !== undefined) return text.slice(0, own.value) + written + text.slice(own.end);
  const last = members.at(-1);
  if (last === undefined) return `{\n    ${JSON.stringify(key)}: ${written}\n}\n`;
  const between = /\s*$/.exec(text.slice(0, last.start))?.[0] ?? '';
  return `${text.slice(0, last.end)},${between}${JSON.stringify(key)}: ${written}${text.slice(last.end)}`;
}

/** The text of a `keytrustee.conf` with some settings changed; everything else stays as it is written. */
export function changedText(text: string, changes: SettingChanges): string {
  return Object.entries(changes).reduce(
    (changed, [key, value]) => (value === undefined ? without(changed, key) : withValue(changed, key, value)),
    text,
  );
}

/** The text before a change, and after it. */
export interface ChangedFile {
  before: string;
  after: string;
}

/**
 * Changes settings of a `keytrustee.conf` by one rename. What somebody else has written there is kept: the file is read
 * immediately before.
 */
export async function changeSettings(path: string, changes: SettingChanges): Promise<ChangedFile> {
  const before = await readFile(path, 'utf8');
  parseConfigurationText(path, before);
  const after = changedText(before, changes);
  parseConfigurationText(path, after);
  await writeAtomically(path, after, (await stat(path)).mode & 0o777);
  return { before, after };
}

/** Puts the text before a change back where nobody else has written since, else takes back the changed settings alone. */
export async function restoreSettings(
  path: string,
  { before, after }: ChangedFile,
  settings: SettingChanges,
): Promise<void> {
  if ((await readFile(path, 'utf8')) !== after) return void (await changeSettings(path, settings));
  await writeAtomically(path, before, (await stat(path)).mode & 0o777);
}
