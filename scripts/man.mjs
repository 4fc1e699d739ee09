// Renders the manual pages: man/*.md to dist/man, or to the directory that is named. `npm run build` does it too.
//
//   node scripts/man.mjs [directory]
import { mkdirSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import markedMan from 'marked-man';

const top = dirname(dirname(fileURLToPath(import.meta.url)));
const sources = join(top, 'man');

/** The parser that marked-man extends comes with it, in the version that it works with. */
async function parser() {
  const marked = createRequire(import.meta.resolve('marked-man')).resolve('marked');
  const { Marked } = await import(pathToFileURL(marked));
  return Marked;
}

/**
 * Lists of options: an item whose first line ends with a colon becomes a tagged paragraph, as manual pages have them.
 * marked-man alone would print bullets.
 */
const taggedLists = {
  listitem(text) {
    const [, term, rest] = /^(.*):\n([\s\S]*)$/.exec(text.trim()) ?? [];
    if (term === undefined) return markedMan.renderer.listitem.call(this, text);
    return `.TP\n${term}\n${rest.trim()}\n`;
  },
  list(body) {
    return body.includes('.TP\n') ? `\n${body}` : markedMan.renderer.list.call(this, body);
  },
};

/** When a page was last changed (as far as the file knows), in the form that every reader of manual pages takes. */
function dateOf(source) {
  const epoch = process.env.SOURCE_DATE_EPOCH;
  const date = epoch === undefined ? statSync(source).mtime : new Date(Number(epoch) * 1000);
  return date.toISOString().slice(0, 10);
}

/** What marked-man cannot be told: the date in full, and no paragraph macro where a section has just begun. */
function tidy(page, date) {
  return page
    .replace(/^(\.TH "[^"]*" "[^"]*" )"[^"]*"/, `$1"${date}"`)
    .replaceAll(/\n+\.TP\n/g, '\n.TP\n')
    .replaceAll(/^(\.S[HS] .*\n)\n*\.P\n/gm, '$1');
}

/** Renders every page into a directory. */
export async function renderManuals(directory) {
  const Marked = await parser();
  const { version } = JSON.parse(readFileSync(join(top, 'package.json'), 'utf8'));
  const { renderer, tokenizer, extensions } = markedMan;
  const options = { manVersion: version, manual: 'Key Trustee Server', date: 0 };
  const marked = new Marked({ renderer, tokenizer, extensions }, { renderer: taggedLists }, options);
  mkdirSync(directory, { recursive: true });
  for (const name of readdirSync(sources).filter((file) => file.endsWith('.md'))) {
    const source = join(sources, name);
    const page = marked.parse(readFileSync(source, 'utf8'));
    writeFileSync(join(directory, name.replace(/\.md$/, '')), tidy(page, dateOf(source)));
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await renderManuals(process.argv[2] ?? join(top, 'dist', 'man'));
}
