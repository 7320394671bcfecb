"""The look of a report: plain, readable, light or dark as the reader has it, and good on paper."""

STYLE = """
:root { color-scheme: light dark; --ink:#1c2026; --soft:#5c6570; --line:#dfe3e8; --paper:#ffffff; --panel:#f6f7f9;
  --accent:#2159c7; --bad:#c2461c; --good:#1f7a4d; }
@media (prefers-color-scheme: dark) { :root { --ink:#e7eaee; --soft:#9aa4b0; --line:#313841; --paper:#14171b;
  --panel:#1c2127; --accent:#7aa5ff; --bad:#f08a5d; --good:#5cc492; } }
* { box-sizing: border-box; }
body { margin:0; background:var(--paper); color:var(--ink); font:16px/1.5 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 40px 24px 80px; }
h1 { font-size: 28px; line-height:1.2; margin: 0 0 6px; overflow-wrap:anywhere; }
h2 { font-size: 19px; margin: 44px 0 10px; }
p { margin: 6px 0; max-width: 76ch; }
.soft, figcaption, th { color: var(--soft); }
.lead { display:flex; flex-wrap:wrap; align-items:baseline; gap: 4px 16px; margin: 26px 0 8px; }
.lead b { font-size: 44px; line-height:1; letter-spacing:-.02em; }
.verdict { border-left: 4px solid var(--accent); background: var(--panel); padding: 12px 16px; margin: 18px 0;
  max-width:none; }
ul.notes { margin: 12px 0; padding-left: 20px; color: var(--soft); }
table { border-collapse: collapse; font-size: 15px; font-variant-numeric: tabular-nums; }
th { font-weight: 500; text-align: left; }
td, th { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); vertical-align: middle; }
td.number, th.number { text-align: right; }
td.number, td.pale { white-space: nowrap; }
.pale { color: var(--soft); }
.wide { overflow-x: auto; }
.confusion { border-collapse: separate; border-spacing: 2px; font-size: 13px; }
.confusion td, .confusion th { border: 0; padding: 0; }
.confusion tbody th { text-align: right; padding-right: 8px; white-space: nowrap; }
.confusion td { width: 38px; min-width: 38px; height: 32px; text-align: center; border-radius: 3px;
  background: var(--panel); }
.confusion td.right { background: color-mix(in srgb, var(--good) calc(var(--share) * 75%), var(--panel)); }
.confusion td.wrong { background: color-mix(in srgb, var(--bad) calc(var(--share) * 130%), var(--panel)); }
.confusion .turned { height: 104px; vertical-align: bottom; white-space: nowrap; position: relative; min-width:38px; }
.confusion .turned span { position:absolute; bottom:4px; left:20px; transform-origin: 0 100%;
  transform: rotate(-50deg); }
.confusion .corner { vertical-align: bottom; text-align: right; padding: 0 8px 4px 0; font-size: 12px;
  white-space: nowrap; }
svg text { fill: var(--soft); font-size: 12px; }
svg .axis { stroke: var(--soft); stroke-opacity:.5; } svg .grid { stroke: var(--line); }
svg .span { stroke: var(--accent); stroke-width: 3; stroke-opacity:.45; stroke-linecap: round; }
svg .dot { fill: var(--accent); }
svg.interval { display:block; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 22px 16px; }
.pictures.broad { grid-template-columns: repeat(auto-fill, minmax(310px, 1fr)); }
figure { margin: 0; } figure img { width: 100%; height: 170px; object-fit: contain; object-position: left top;
  display:block; }
.broad figure img { height: auto; max-height: 420px; }
figcaption { font-size: 13px; line-height: 1.35; margin-top: 6px; overflow-wrap: anywhere; }
figcaption b:not(.bad) { color: var(--ink); } figcaption b { font-weight: 600; } .bad { color: var(--bad); }
figcaption small { display:block; opacity:.8; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.key i { display:inline-block; width:12px; height:12px; border-radius:2px; margin: 0 4px 0 10px; vertical-align:-1px;
  }
@media (max-width: 640px) { svg.interval { display: none; } main { padding: 24px 16px 60px; } }
@media print { main { max-width:none; padding:0; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
"""
