"""The style sheet of a case report: that of the report card, and what a case shows besides."""

from visavis.protocols.report._style import STYLE as CARD

PAGE = """
:root { --same: #0072b2; --different: #b34700; --inconclusive: #6b4ea0; }
body { max-width: 60rem; }
header.answer { border-left: .5rem solid var(--tone); padding: .25rem 0 .25rem 1.1rem; }
header.answer h1 { font-size: 2.1rem; margin: 0 0 .35rem; }
header.answer p.lead { font-size: 1.1rem; }
.tone-same { --tone: var(--same); } .tone-different { --tone: var(--different); }
.tone-inconclusive { --tone: var(--inconclusive); }
.kicker { color: var(--soft); margin: 0 0 .2rem; }
.tile b { font-size: 1.3rem; }
.notes { border-left-color: var(--different); }
.reasons { border-left: 4px solid var(--inconclusive); background: var(--card); margin: 1rem 0; padding: .4rem 1rem;
  border-radius: 0 .5rem .5rem 0; }
.reasons ul, .notes ul { margin: .2rem 0; padding-left: 1.1rem; }
svg.axis { display: block; width: 100%; height: auto; font: 12px system-ui, "Segoe UI", Roboto, Arial, sans-serif; }
svg.axis text { fill: currentColor; } svg.axis text.soft { fill: var(--soft); }
svg.axis text { paint-order: stroke; stroke: var(--page); stroke-width: 3px; stroke-linejoin: round; }
svg.axis text.strong { font-weight: 600; } svg.axis text.on { fill: #ffffff; stroke: none; }
svg.axis .same { fill: #0072b2; } svg.axis .different { fill: #b34700; }
svg.axis .band { fill: #6b4ea0; stroke: var(--page); stroke-width: .75; }
svg.axis .cut { stroke: currentColor; stroke-width: 1.2; stroke-dasharray: 4 3; }
svg.axis path.here { fill: currentColor; stroke: var(--page); }
svg.axis line.here { stroke: currentColor; stroke-width: 1.6; }
svg.axis .lane { stroke: var(--soft); stroke-width: 1.2; } svg.axis .mark { fill: currentColor; }
svg.axis.slim { display: none; }
.pair { display: grid; grid-template-columns: repeat(4, 1fr); gap: .8rem; }
.pair.plain { grid-template-columns: 1fr 1fr; max-width: 32rem; }
.pair figure { padding: .6rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
.pair img { display: block; width: 100%; height: auto; border-radius: .25rem; }
.wholes { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(15rem, 100%), 1fr)); gap: 1rem; }
.wholes img { display: block; width: 100%; max-height: 20rem; object-fit: contain; border-radius: .25rem; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; align-items: center; color: var(--soft); font-size: .9rem; }
.key i { display: inline-block; width: 1rem; height: 1rem; border-radius: .2rem; margin-right: .4rem;
  vertical-align: -.15rem; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
.bar { display: inline-block; height: .7rem; min-width: 1px; border-radius: .15rem; vertical-align: baseline; }
.for { background: #b2182b; } .against { background: #2166ac; }
td.bars { min-width: 9rem; }
.bars div { display: grid; grid-template-columns: 1fr 1fr; } .bars div > span:first-child { text-align: right; }
tr.small th, tr.small td { color: var(--soft); font-style: italic; }
tr.worst th, tr.worst td { font-weight: 600; }
.groups td { white-space: nowrap; }
td.num { text-align: right; white-space: nowrap; }
td small, th small { font-size: .88em; }
.bad { color: var(--different); font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: .4rem 0; }
dt { color: var(--soft); } dd { margin: 0; min-width: 0; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .8rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
img { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
@media (prefers-color-scheme: dark) {
  :root { --same: #56b4e9; --different: #f0905a; --inconclusive: #b79df0; }
  .for { background: #e4616f; } .against { background: #6ba3dd; }
}
@media (max-width: 46rem) { .pair, .pair.plain { grid-template-columns: 1fr 1fr; } }
@media (max-width: 36rem) {
  body { padding: 1rem .8rem 3rem; }
  svg.axis.broad { display: none; } svg.axis.slim { display: block; }
  .pair { gap: .5rem; } .pair figure { padding: .35rem; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
}
@page { size: A4; margin: 14mm 15mm; }
@media print {
  :root { color-scheme: light; --same: #0072b2; --different: #b34700; --inconclusive: #6b4ea0; }
  body { max-width: none; font-size: 9.5pt; line-height: 1.38; }
  .for { background: #b2182b; } .against { background: #2166ac; }
  header.answer h1 { font-size: 20pt; }
  h2 { margin-top: 1.1rem; } h3 { break-after: avoid; margin: .6rem 0 .2rem; }
  .tiles { grid-template-columns: repeat(4, 1fr); }
  svg.axis.broad { display: block; } svg.axis.slim { display: none; }
  svg.axis *, .bar, .key i { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  .pair { grid-template-columns: repeat(4, 1fr); gap: 3mm; } .pair figure { padding: 1.5mm; }
  .dense table, .annex table { font-size: 7.5pt; }
  .dense th, .dense td, .annex th, .annex td { padding: .12rem .5rem .12rem 0; }
  table { font-size: 8.5pt; } li, p { max-width: none; }
  .wholes { grid-template-columns: repeat(3, 1fr); } .wholes img { max-height: 50mm; }
  .keep, .pair, dl > *, pre, .reasons { break-inside: avoid; }
  .wide { overflow-x: visible; }
  thead { display: table-header-group; }
}
"""
STYLE = CARD + PAGE
