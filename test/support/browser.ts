/** Debian's Chromium, driven by playwright-core, and what is asked of every page. */
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { world } from './sandbox.ts';

const PROGRAM = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/lib64/chromium-browser/chromium-browser',
].find((path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
});

/** Where screenshots are kept; nowhere in a checkout that cannot be written to. */
function screenshotDirectory(): string | undefined {
  const place = process.env.KT_SCREENSHOTS || join(import.meta.dirname, '..', '..', 'test-results');
  try {
    mkdirSync(place, { recursive: true });
    return place;
  } catch {
    return undefined;
  }
}

/** A visitor: a page of a browser context of its own, which keeps what the browser complained of. */
export interface Visitor {
  page: Page;
  /** Violations of the content security policy, errors, and requests to anywhere but `origin`. */
  complaints: string[];
  /** Checks what is asked of every page, at the width of a phone, of a desk and in the dark, and keeps a picture of each. */
  look(name: string): Promise<void>;
}

/** One browser for all tests of a file. The pages are our own, so it needs no sandbox, which containers do not allow. */
export function sharedBrowser(): { visit(options?: BrowserContextOptions): Promise<Visitor> } {
  const shared = {} as { browser: Browser };
  beforeAll(async () => {
    const home = join(world.directory, 'home');
    shared.browser = await chromium.launch({
      executablePath: PROGRAM ?? 'chromium',
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
      env: { PATH: process.env.PATH ?? '', HOME: home, TMPDIR: world.directory },
    });
  });
  afterAll(async () => shared.browser?.close());
  return { visit: (options) => visit(shared.browser, options) };
}

async function visit(browser: Browser, options: BrowserContextOptions = {}): Promise<Visitor> {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  onTestFinished(async () => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    // A page that says what was wrong has a status of its own, which the browser tells of.
    if (!/responded with a status of 4/.test(message.text()))
      complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
  page.on('request', (request) => {
    const { hostname } = new URL(request.url());
    if (hostname !== '127.0.0.1') complaints.push(`went to ${hostname}`);
  });
  return { page, complaints, look: (name) => look(page, name) };
}

const VIEWS = [
  { name: 'phone', width: 320, height: 640, colorScheme: 'light' },
  { name: 'desk', width: 1200, height: 900, colorScheme: 'light' },
  { name: 'dark', width: 800, height: 900, colorScheme: 'dark' },
] as const;

async function look(page: Page, name: string): Promise<void> {
  const directory = screenshotDirectory();
  // All views are judged before the first picture, for which playwright puts a style of its own into the page.
  for (const picture of directory === undefined ? [false] : [false, true]) {
    for (const view of VIEWS) {
      await page.setViewportSize(view);
      await page.emulateMedia({ colorScheme: view.colorScheme });
      const path = join(directory ?? '', `${name}-${view.name}.png`);
      if (picture) await page.screenshot({ path, fullPage: true });
      else expect(await page.evaluate(judgePage), `${name}, ${view.name}`).toEqual([]);
    }
  }
}

/** Runs in the page: what is wrong with it, by the rules of WCAG that can be computed. */
function judgePage(): string[] {
  const faults: string[] = [];
  const all = [...document.querySelectorAll<HTMLElement>('body *')];
  const need = (holds: boolean, fault: string) => {
    if (!holds) faults.push(fault);
  };
  need(document.documentElement.lang === 'en', 'no language');
  need(document.title.length > 10, 'no title');
  need(document.querySelectorAll('h1').length === 1, 'not one h1');
  need(document.querySelectorAll('main').length === 1, 'not one main');
  need(
    document.querySelector('script, style, [style], [onclick], iframe, img') === null,
    'something active or inline',
  );
  const { scrollWidth, clientWidth } = document.documentElement;
  need(scrollWidth <= clientWidth, `scrolls sideways: ${scrollWidth} > ${clientWidth}`);
  const ids = [...document.querySelectorAll('[id]')].map((element) => element.id);
  need(new Set(ids).size === ids.length, 'an id is there twice');
  for (const element of all) {
    const named =
      (element.getAttribute('aria-describedby') ?? '') + (element.getAttribute('aria-labelledby') ?? '');
    for (const id of named.split(' ')) need(id === '' || ids.includes(id), `nothing has the id ${id}`);
  }
  for (const field of document.querySelectorAll<HTMLInputElement>('input:not([type=hidden]), textarea')) {
    need((field.labels?.[0]?.textContent ?? '').trim() !== '', `a field without a label: ${field.name}`);
  }
  for (const button of document.querySelectorAll('button')) {
    need((button.textContent ?? '').trim() !== '', 'a button without words');
    need(button.getBoundingClientRect().height >= 44, 'a button that is too small for a finger');
  }
  const parse = (text: string) => (/[\d.]+/g[Symbol.match](text) ?? []).map(Number);
  const light = (color: number[]) => {
    const [red = 0, green = 0, blue = 0] = color.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const paperOf = (element: Element | null): number[] => {
    if (element === null) return [255, 255, 255];
    const color = parse(getComputedStyle(element).backgroundColor);
    return color[3] === 0 ? paperOf(element.parentElement) : color;
  };
  for (const element of all) {
    const hasText = [...element.childNodes].some(
      (node) => node.nodeType === 3 && node.textContent?.trim() !== '',
    );
    if (!hasText) continue;
    const [ink, paper] = [light(parse(getComputedStyle(element).color)), light(paperOf(element))];
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    need(ratio >= 4.5, `contrast ${ratio.toFixed(2)}: ${element.textContent?.slice(0, 30)}`);
  }
  return faults;
}
