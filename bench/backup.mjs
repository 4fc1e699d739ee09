/**
 * Backup and restore against the ways that they replace, in turn on one server: the original product's (pg_dump to a file,
 * tar, gpg with its compression), borg where it is installed, and for the restore gpg | tar | psql. Prints the ratios of
 * medians, memory at most, the size of the sets, and what an empty server's backup takes and for what. It measures and
 * never fails for being slow. The server lies below BENCH_DIR or the temporary directory, and is gone afterwards.
 *
 *   npm run bench:backup [-- --deposits N] [--runs N]       (default: 1,000,000 deposits, 3 runs)
 */
import { spawnSync } from 'node:child_process';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measure, median } from './backup/measure.mjs';
import { RECIPIENT, withPlace } from './backup/place.mjs';

const options = { deposits: { type: 'string', default: '1000000' }, runs: { type: 'string', default: '3' } };
const { values } = parseArgs({ options });
const deposits = Number(values.deposits);
const runs = Number(values.runs);
const hasBorg = spawnSync('borg', ['--version']).error === undefined;
const MEBIBYTE = 1024 * 1024;

const size = (path) => statSync(path).size / MEBIBYTE;
const column = (value, width = 10) => value.padStart(width);

function backups({ confdir, output, ktadmin, stranger, script }) {
  const original = join(output, 'original.tar.gpg');
  const ours = {
    name: 'ktadmin backup',
    words: ktadmin('backup', '--gpg-recipient', RECIPIENT, '--quiet', '--output', output),
    sizeOf: (printed) => size(printed),
  };
  const originals = {
    name: 'original way',
    words: stranger(script('original.sh'), confdir, output, RECIPIENT),
    sizeOf: () => size(original),
  };
  const borg = {
    name: 'borg (zstd,1)',
    words: stranger(script('borg.sh'), confdir, output),
    sizeOf: () => NaN,
  };
  return [originals, ours, ...(hasBorg ? [borg] : [])].map((way) => ({ ...way, done: [] }));
}

function restores({ output, ktadmin, stranger, script, env }, set) {
  const restore = ktadmin('restore', set, '--yes', '--quiet', '--gnupg-home', env.GNUPGHOME);
  return [
    { name: 'gpg | tar | psql -1', words: stranger(script('by-hand.sh'), join(output, 'original.tar.gpg')) },
    { name: 'ktadmin restore', words: restore },
  ].map((way) => ({ ...way, done: [] }));
}

async function byTurns(ways, { env }, after = () => undefined) {
  for (let run = 0; run < runs; run += 1) {
    for (const way of ways) {
      const result = await measure(way.words, { env });
      way.done.push({ ...result, size: way.sizeOf?.(result.output) ?? Number.NaN });
      after(way, result, run === runs - 1);
    }
  }
}

function report(title, ways) {
  const of = (way, key) => median(way.done.map((result) => result[key]));
  const base = of(ways[0], 'seconds');
  console.log(`\n${title}: medians of ${runs} by turns, compared with the ${ways[0].name}`);
  for (const way of ways) {
    const seconds = of(way, 'seconds');
    const memory = `${of(way, 'memory').toFixed(0)} MiB memory`;
    const bytes = Number.isNaN(of(way, 'size'))
      ? ''
      : column(`${of(way, 'size').toFixed(0)} MiB written`, 20);
    const times = `${(base / seconds).toFixed(2)} times as fast`;
    console.log(
      `${way.name.padEnd(20)}${column(`${seconds.toFixed(2)} s`)}${column(times, 22)}${column(memory, 18)}${bytes}`,
    );
  }
}

/** What an empty server's backup takes, and how much of it the programs that it starts take. */
async function empty() {
  await withPlace(0, async (place) => {
    const words = place.ktadmin('backup', '--gpg-recipient', RECIPIENT, '--quiet', '--output', place.output);
    const done = [];
    for (let run = 0; run < 9; run += 1) done.push((await measure(words, { env: place.env })).seconds);
    const node = [];
    for (let run = 0; run < 9; run += 1)
      node.push((await measure(place.ktadmin('--version'), { env: place.env })).seconds);
    const dump = place.stranger('pg_dump', '--schema-only', 'keytrustee');
    const dumps = [];
    for (let run = 0; run < 9; run += 1) dumps.push((await measure(dump, { env: place.env })).seconds);
    console.log('\nan empty server: medians of 9');
    console.log(`ktadmin backup      ${column(`${median(done).toFixed(2)} s`)}  limit 1.5 s`);
    console.log(`  of that, Node     ${column(`${median(node).toFixed(2)} s`)}`);
    console.log(`  one pg_dump alone ${column(`${median(dumps).toFixed(2)} s`)}`);
  });
}

await empty();
await withPlace(deposits, async (place) => {
  console.log(`\n${deposits} deposits of 1 KB${hasBorg ? '' : '; borg is not installed'}`);
  let set = '';
  const ways = backups(place);
  await byTurns(ways, place, ({ name }, { output }, isLast) => {
    if (name !== 'ktadmin backup') return;
    set = output;
    if (!isLast) for (const path of [output, `${output}.receipt.asc`]) rmSync(path);
  });
  report('backup', ways);
  const back = restores(place, set);
  await byTurns(back, place);
  report('restore', back);
});
