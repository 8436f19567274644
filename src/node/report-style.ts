/** @file  The look of the report: light and dark by the reader's choice, columns on paper and wide screens, wrapped on narrow ones. */
export const reportStyle = `
:root{color-scheme:light dark;--ink:#1b1b1b;--soft:#585858;--paper:#fff;--rule:#dcdcdc;--shade:#f5f5f5;--warn:#8a4b00;
--s0:#111;--s1:#0b62a4;--s2:#b3261e;--s3:#2e7d32;--s4:#8e24aa;--s5:#9a6700}
@media (prefers-color-scheme:dark){:root{--ink:#e8e8e8;--soft:#a9a9a9;--paper:#161616;--rule:#3a3a3a;--shade:#212121;--warn:#f0b35a;
--s0:#f2f2f2;--s1:#6cb4ee;--s2:#ff8a80;--s3:#81c784;--s4:#ce93d8;--s5:#e0b050}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);margin:0}
header,main,footer{max-width:1120px;margin:0 auto;padding:0 1rem}header{padding-top:2rem}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .5rem}h2{font-size:1.2rem;margin:2.2rem 0 .4rem}h3{font-size:1rem;margin:1rem 0 .3rem}
h3 small{font-weight:400;margin-left:.5em}.note,footer,small,figcaption,caption{color:var(--soft);font-size:.875rem}
nav ul{list-style:none;padding:0;margin:.8rem 0 0;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem}a{color:var(--s1)}
.warnings{border-left:4px solid var(--warn);padding:.1rem 1rem;margin:1rem 0;background:var(--shade)}
.row{display:grid;gap:.5rem;align-items:end}.row figure{margin:0;min-width:0}figcaption{text-align:center}
.frame{position:relative;border:1px solid var(--rule);background:#fff}.frame img{width:100%;height:100%;display:block}
.frame svg{position:absolute;inset:0;width:100%;height:100%}.frame line{stroke:#c2185b;stroke-width:1.5;vector-effect:non-scaling-stroke}
.bar{display:flex;align-items:center;gap:.5rem;font-size:.875rem;color:var(--soft);margin:.3rem 0}.bar img{width:9rem;height:.8rem;border:1px solid var(--rule)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;margin:.5rem 0}caption{text-align:left;padding:.3rem 0}
th,td{padding:.3rem .6rem;border-bottom:1px solid var(--rule);text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
th{font-weight:600}tbody th,th:first-child,.text td{text-align:left}.text td{white-space:normal;overflow-wrap:anywhere;vertical-align:top;min-width:9rem}.text th{vertical-align:top;text-align:left}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,21rem),1fr));gap:1rem}.chart{margin:0}.chart figcaption{text-align:left}
.chart>svg{width:100%;font-size:13px;fill:var(--soft)}.grid{stroke:var(--rule)}.line{fill:none;stroke-width:1.8}
.s0{stroke:var(--s0)}.s1{stroke:var(--s1);stroke-dasharray:7 2}.s2{stroke:var(--s2);stroke-dasharray:3 2}.s3{stroke:var(--s3);stroke-dasharray:9 2 2 2}
.s4{stroke:var(--s4);stroke-dasharray:1.5 2}.s5{stroke:var(--s5);stroke-dasharray:12 4}.dot{stroke-dasharray:none;fill:var(--paper)}
.key{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1rem;margin:.2rem 0 0;padding:0;font-size:.875rem}.key svg{width:30px;height:6px;margin-right:.4em;vertical-align:middle}
details{margin:1rem 0}summary{cursor:pointer}pre{background:var(--shade);padding:1rem;overflow-x:auto;font-size:.8rem}
footer{margin-top:2.5rem;border-top:1px solid var(--rule);padding-top:.6rem;padding-bottom:2rem}
:focus-visible{outline:2px solid var(--s1);outline-offset:2px}
@media (max-width:640px){.row{grid-template-columns:1fr 1fr!important}h1{font-size:1.35rem}}
@media print{@page{margin:12mm}:root{color-scheme:light;--ink:#000;--soft:#444;--paper:#fff;--rule:#bbb;--shade:#fff;--warn:#8a4b00;
--s0:#111;--s1:#0b62a4;--s2:#b3261e;--s3:#2e7d32;--s4:#8e24aa;--s5:#9a6700}body{font-size:10pt}header,main,footer{padding:0;max-width:none}nav,details{display:none}
h2,h3{break-after:avoid}.row,.chart,tr,figure{break-inside:avoid}h3{break-inside:avoid}img{print-color-adjust:exact}.charts{grid-template-columns:1fr 1fr}
.scroll{overflow:visible}th,td{padding:.15rem .4rem;white-space:normal}.text{font-size:8pt;table-layout:fixed}.text td,.text th{min-width:0;overflow-wrap:anywhere}}`;
