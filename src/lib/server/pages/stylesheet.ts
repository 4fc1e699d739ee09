/** The one style sheet of the pages: plain, readable at every width, light or dark as the reader's system is. */
export const STYLESHEET = `
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --faint: #4a5361; --line: #767f8c; --soft: #f1f3f5;
  --action: #0b4f9e; --on-action: #ffffff; --warn: #8a1c1c; --warn-paper: #fdf0f0; --note: #6b4a00; --note-paper: #fff7e0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --ink: #eceff2; --faint: #b4bdc8; --line: #8b95a1; --soft: #22272d;
    --action: #9cc7ff; --on-action: #0b1a2b; --warn: #ffb3b3; --warn-paper: #341a1a; --note: #ffd98a; --note-paper: #2e2613;
  }
}
* { box-sizing: border-box; }
html { background: var(--paper); color: var(--ink); font: 100%/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
body { margin: 0 auto; max-width: 44rem; padding: 0 1rem 3rem; overflow-wrap: anywhere; }
header { border-bottom: 1px solid var(--line); color: var(--faint); font-size: .9rem; margin-bottom: 1.5rem; }
header p { margin: .9rem 0; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0 0 .5rem; }
p { margin: 0 0 1rem; }
section { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 1.5rem; }
a { color: var(--action); text-underline-offset: .15em; }
code { background: var(--soft); border-radius: .2rem; font: .92em/1.4 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; padding: .05em .3em; }
code.command { display: block; margin-top: .4rem; padding: .5rem .8rem; }
dl { background: var(--soft); border-radius: .4rem; margin: 0 0 1.25rem; padding: .9rem 1rem; }
dt { color: var(--faint); font-size: .9rem; }
dd { margin: 0; }
dd + dt { margin-top: .7rem; }
.fingerprint { font: 600 1.02rem/1.5 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; overflow-wrap: normal; word-spacing: .1em; }
.field { margin-bottom: 1.25rem; }
label { display: block; font-weight: 600; }
.hint { color: var(--faint); display: block; font-size: .92rem; margin-bottom: .4rem; }
textarea { background: var(--paper); border: 1px solid var(--line); border-radius: .3rem; color: var(--ink); font: .85rem/1.4 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; padding: .6rem; resize: vertical; width: 100%; }
textarea[aria-invalid] { border: 2px solid var(--warn); }
input[type="file"] { color: var(--ink); font: inherit; max-width: 100%; padding: .3rem 0; }
button { background: var(--action); border: 2px solid var(--action); border-radius: .3rem; color: var(--on-action); cursor: pointer; font: inherit; font-weight: 600; min-height: 2.75rem; padding: .5rem 1.2rem; }
button.second { background: transparent; color: var(--action); }
button + .hint { margin-top: .8rem; }
.buttons { align-items: center; display: flex; flex-wrap: wrap; gap: .8rem 1.2rem; }
:focus-visible { outline: 3px solid var(--action); outline-offset: 3px; }
.problem, .notice { border-left: .35rem solid var(--note); background: var(--note-paper); border-radius: .2rem; padding: .8rem 1rem; }
.problem { background: var(--warn-paper); border-color: var(--warn); margin-bottom: 1.5rem; }
.problem h2 { color: var(--warn); }
.problem p:last-child { margin: 0; }
@media print { button, form .hint { display: none; } }
`;
