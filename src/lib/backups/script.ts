/** The ending of the directory, beside the script, that holds the files which the script reads. */
export const DATA_ENDING = '.data';

/**
 * The script that psql is given to load a dump, by `ktadmin restore` as by hand: it reads the other files, from beside it,
 * in one transaction. An error ends it and leaves the database as it was.
 */
export function loadScript(stem: string, names: string[]): string {
  const lines = names.map((name) => `\\ir '${stem}${DATA_ENDING}/${name}'`);
  return [
    '-- Loads a Key Trustee Server database. Into an empty database of that name: psql -f THIS_FILE',
    '\\set ON_ERROR_STOP on',
    'begin;',
    ...lines,
    'commit;',
    '',
  ].join('\n');
}

/** The directory of a script's files, with a slash behind it. */
export function dataDirectory(script: string): string {
  return `${script.slice(0, -'.sql'.length)}${DATA_ENDING}/`;
}
