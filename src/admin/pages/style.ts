// The style of all pages. Colours follow the reader's light or dark theme.

export const STYLE = `
:root {
  color-scheme: light dark;
  --text: light-dark(#1c2024, #e6e8ea);
  --soft: light-dark(#586069, #a3adb8);
  --back: light-dark(#ffffff, #14171a);
  --raised: light-dark(#f5f6f8, #1d2125);
  --line: light-dark(#d8dde3, #343a41);
  --link: light-dark(#0b57b8, #7fb4ff);
  --get: light-dark(#0b6b3a, #63d297);
  --post: light-dark(#0b57b8, #7fb4ff);
  --put: light-dark(#8a5300, #f0b35a);
  --delete: light-dark(#b3261e, #ff8f87);
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body {
  margin: 0; background: var(--back); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: break-word;
}
a { color: var(--link); text-underline-offset: .15em; }
a:focus-visible, summary:focus-visible, pre:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 3px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: .85rem; margin: 1.25rem 0 .4rem; color: var(--soft); text-transform: uppercase; letter-spacing: .04em; }
p { margin: .5rem 0; max-width: 72ch; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .875em; }
code { overflow-wrap: anywhere; }
pre {
  margin: .5rem 0; padding: .75rem 1rem; overflow-x: auto; background: var(--raised);
  border: 1px solid var(--line); border-radius: 6px; line-height: 1.45;
}
pre code { overflow-wrap: normal; font-size: 1em; }
.soft { color: var(--soft); }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--back); padding: .5rem 1rem; z-index: 1; }
.narrow { max-width: 46rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
.layout { display: grid; grid-template-columns: 17rem minmax(0, 1fr); max-width: 84rem; margin: 0 auto; }
.layout > .side {
  position: sticky; top: 0; height: 100vh; overflow-y: auto; padding: 1.5rem 1rem 3rem; border-right: 1px solid var(--line);
  font-size: .9rem;
}
.layout > main { padding: 1.75rem 2rem 5rem; min-width: 0; }
nav.chips { display: none; }
nav ul { list-style: none; margin: 0 0 .5rem; padding: 0 0 0 .75rem; }
nav ul.top { padding-left: 0; }
nav summary, nav .group { font-weight: 600; padding: .25rem 0; cursor: pointer; }
nav a { display: block; padding: .2rem .25rem; text-decoration: none; color: var(--text); }
nav a:hover { text-decoration: underline; }
.operation, .schema { border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0; }
.operation > summary, .schema > summary { padding: .55rem .75rem; cursor: pointer; display: flex; flex-wrap: wrap; gap: .15rem .75rem; align-items: baseline; list-style: none; }
.operation > summary::-webkit-details-marker, .schema > summary::-webkit-details-marker { display: none; }
.operation > summary:hover, .schema > summary:hover { background: var(--raised); }
.operation[open] > summary, .schema[open] > summary { border-bottom: 1px solid var(--line); background: var(--raised); border-radius: 6px 6px 0 0; }
.operation > summary .says { color: var(--soft); margin-left: auto; font-size: .9rem; text-align: right; }
.body { padding: .5rem 1rem 1.25rem; scroll-margin-top: 4rem; }
.method { font-weight: 700; font-size: .75rem; min-width: 4.2em; letter-spacing: .03em; }
.get { color: var(--get); } .post { color: var(--post); } .put, .patch { color: var(--put); } .delete { color: var(--delete); }
.path { font-weight: 600; }
dl.fields { margin: .5rem 0; }
dl.fields > div { display: grid; grid-template-columns: minmax(10rem, 16rem) minmax(0, 1fr); gap: 0 1.25rem; padding: .45rem 0; border-top: 1px solid var(--line); }
dl.fields dt { min-width: 0; }
dl.fields dt > code { font-weight: 600; }
dl.fields dt small { display: block; color: var(--soft); font-size: .8rem; }
dl.fields dd { margin: 0; min-width: 0; }
dl.fields dd dl.fields { margin: .35rem 0 0; }
dl.fields dd dl.fields > div { grid-template-columns: minmax(8rem, 12rem) minmax(0, 1fr); }
dl.fields dd dl.fields dd dl.fields > div { grid-template-columns: minmax(0, 1fr); padding-left: .75rem; }
dl.fields dt .required { color: var(--delete); }
dl.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .35rem 1.25rem; }
 dl.facts dd { margin: 0; }
@media (max-width: 56rem) {
  .layout { display: block; }
  .layout > .side { display: none; }
  nav.chips { display: flex; flex-wrap: wrap; gap: .25rem .35rem; margin: 1rem 0; }
  nav.chips a { padding: .4rem .7rem; border: 1px solid var(--line); border-radius: 1rem; font-size: .9rem; }
  .layout > main { padding: 1.25rem 1.25rem 4rem; }
  dl.fields dd dl.fields > div { grid-template-columns: minmax(0, 1fr); padding-left: .75rem; }
  .operation > summary .says { margin-left: 0; flex-basis: 100%; text-align: left; }
}
@media (max-width: 40rem) {
  dl.fields > div, dl.fields dd dl.fields > div { grid-template-columns: minmax(0, 1fr); }
  .narrow dl.facts { grid-template-columns: minmax(0, 1fr); gap: 0; } .narrow dl.facts dd { margin-bottom: .5rem; }
  .body { padding: .25rem .75rem 1rem; }
}
`;
