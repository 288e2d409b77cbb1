/** The style sheet and the small hover script of the report. Without the script, only the hover line is missing. */

export const reportStyle: string = `
:root{color-scheme:light dark;--page:#f6f6f4;--card:#fff;--ink:#1b1d21;--soft:#62666e;--line:#e4e4e0;--c1:#2563c9;\
--c2:#c2570c;--rule:#6d5bb0;--alarm:#c02626}
@media (prefers-color-scheme:dark){:root{--page:#131418;--card:#1b1d22;--ink:#e9eaec;--soft:#9a9ea8;--line:#2e3138;\
--c1:#74a9ff;--c2:#ffa45c;--rule:#b3a3f0;--alarm:#ff7b72}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);\
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1240px;margin:0 auto;padding:clamp(16px,4vw,44px)}
h1{margin:0;font-size:clamp(23px,3.4vw,34px);line-height:1.2;letter-spacing:-.02em;font-weight:680;\
overflow-wrap:anywhere}
h2{margin:0;font-size:15px;line-height:1.35;font-weight:640}
header p{margin:6px 0 0;color:var(--soft)}
.tiles,.charts,.tables{display:grid;gap:14px;margin-top:14px}
.tiles{grid-template-columns:repeat(auto-fit,minmax(min(170px,calc(50% - 7px)),1fr));margin-top:24px}
.charts{grid-template-columns:repeat(auto-fit,minmax(min(430px,100%),1fr))}
.tables{grid-template-columns:repeat(auto-fit,minmax(min(430px,100%),1fr));align-items:start}
.tile,.chart,.table{margin:0;min-width:0;background:var(--card);border:1px solid var(--line);border-radius:12px;\
padding:16px 18px}
.tile span,.tile small{display:block;color:var(--soft);font-size:13px}
.tile b{display:block;font-size:clamp(21px,2.6vw,28px);line-height:1.25;font-weight:640;letter-spacing:-.015em;\
font-variant-numeric:tabular-nums}
.wide{grid-column:1/-1}
figcaption{display:flex;flex-wrap:wrap;gap:2px 14px;align-items:baseline}
figcaption p{flex:1 1 100%;order:3;margin:0;color:var(--soft);font-size:13px}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;margin:0 0 0 auto;padding:0;list-style:none;color:var(--soft);\
font-size:13px}
.legend b{color:var(--ink);font-weight:600;font-variant-numeric:tabular-nums}
.legend i{display:inline-block;width:16px;height:3px;border-radius:2px;margin-right:7px;vertical-align:middle;\
background:var(--c)}
.legend i.dot{width:9px;height:9px;border-radius:50%}
.c1{--c:var(--c1)}.c2{--c:var(--c2)}
.frame{padding:18px 4px 26px 50px}
.plot{position:relative;height:190px;border-bottom:1px solid var(--soft);touch-action:pan-y}
.wide .plot{height:clamp(230px,30vw,360px)}
svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible;pointer-events:none}
svg path{fill:none;vector-effect:non-scaling-stroke;stroke-linecap:round;stroke-linejoin:round}
.grid{stroke:var(--line);stroke-width:1}
.line{stroke:var(--c);stroke-width:2}
.faint{stroke-width:1;opacity:.32}
.dots{stroke:var(--c);stroke-width:8}
.rule{stroke:var(--rule);stroke-width:1.5;stroke-dasharray:5 5}
.broken{stroke:var(--alarm);stroke-width:1.5;opacity:.7}
.plot span{position:absolute;color:var(--soft);font-size:12px;line-height:1;white-space:nowrap;\
font-variant-numeric:tabular-nums}
.plot .y{right:calc(100% + 9px);transform:translateY(-50%)}
.plot .x{top:calc(100% + 9px);transform:translateX(-50%)}
.plot .rule-label{right:0;transform:translateY(-50%);margin-top:-11px;padding:2px 5px;border-radius:4px;\
color:var(--rule);font-weight:600;background:color-mix(in srgb,var(--card) 82%,transparent)}
.alarm{margin:0;color:var(--alarm);font-size:13px}
.hair{position:absolute;top:0;bottom:0;width:1px;background:var(--soft);opacity:.6;pointer-events:none}
.tip{position:absolute;top:-6px;z-index:1;padding:8px 11px;border-radius:8px;background:var(--ink);color:var(--card);\
font-size:12.5px;line-height:1.45;white-space:pre;pointer-events:none;font-variant-numeric:tabular-nums}
[hidden]{display:none!important}
.table table{width:100%;margin-top:8px;border-collapse:collapse;font-size:14px}
.table th,.table td{padding:6px 0;border-top:1px solid var(--line);text-align:left;vertical-align:top;font-weight:400;\
overflow-wrap:anywhere}
.table th{width:44%;padding-right:14px;color:var(--soft)}
.table td{font-variant-numeric:tabular-nums}
.table tr:first-child>*{border-top:0}
.none{margin-top:24px;color:var(--soft)}
@media print{body{background:none}.tile,.chart,.table{break-inside:avoid}}
`;

/**
 * The hover script: a line under the pointer, with the nearest value of every series. The script inserts all text as
 * text, never as HTML.
 */
export const reportScript: string = `
for (const figure of document.querySelectorAll("[data-chart]")) {
  const { low, high, series } = JSON.parse(figure.dataset.chart), plot = figure.querySelector(".plot");
  const add = (name) => Object.assign(plot.appendChild(document.createElement("div")), \
{ className: name, hidden: true });
  const hair = add("hair"), tip = add("tip");
  const show = (event) => {
    const box = plot.getBoundingClientRect(), at = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const near = series.filter((s) => s.x.length > 0).map((s) => {
      const i = s.x.reduce((best, x, j) => \
Math.abs(x - low - at * (high - low)) < Math.abs(s.x[best] - low - at * (high - low)) ? j : best, 0);
      return { name: s.name, x: s.x[i], y: s.y[i] };
    });
    if (near.length === 0) return;
    tip.textContent = near.map((n) => n.name + "  " + n.y + "  at step " + n.x.toLocaleString("en")).join("\\n");
    hair.style.left = at * 100 + "%";
    Object.assign(tip.style, at < 0.5 ? { left: "calc(" + at * 100 + "% + 10px)", right: "auto" } \
: { left: "auto", right: "calc(" + (1 - at) * 100 + "% + 10px)" });
    hair.hidden = tip.hidden = false;
  };
  plot.addEventListener("pointermove", show);
  plot.addEventListener("pointerdown", show);
  plot.addEventListener("pointerleave", () => { hair.hidden = tip.hidden = true; });
}
`;
