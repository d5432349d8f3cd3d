"""How a pack looks on A4: black on white, large enough for a dim ward, nothing that needs colour, script or network."""

from __future__ import annotations

from typing import Final

_PAGE: Final = """
@page { size: A4; margin: 17mm 11mm 15mm 11mm;
  @top-left { content: %(site)s; font: 700 9.5pt %(font)s; }
  @top-right { content: %(as_of)s; font: 700 9.5pt %(font)s; }
  @bottom-left { content: %(marks)s; font: 7.5pt %(font)s; width: 80%%; }
  @bottom-right { content: "Page " counter(page) " of " counter(pages); font: 700 9pt %(font)s; white-space: nowrap; } }
@page form { size: A4 landscape; margin: 13mm 9mm 12mm 9mm; }
"""
_FONT: Final = '"Liberation Sans", Arial, Helvetica, sans-serif'
_REST: Final = """
* { box-sizing: border-box; }
html { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
body { margin: 0; font: 10pt/1.3 FONT; color: #000; background: #fff; }
h1 { font-size: 21pt; margin: 0; line-height: 1.1; }
h2 { font-size: 14pt; margin: 7mm 0 2mm; border-bottom: 2.2pt solid #000; break-after: avoid; }
p { margin: 1mm 0; }
.asof { display: grid; grid-template-columns: auto 1fr; border: 2.2pt solid #000; margin: 4mm 0; }
.asof > div { padding: 2.5mm 4mm; }
.asof .when { font-size: 23pt; font-weight: 700; line-height: 1.1; border-right: 2.2pt solid #000; white-space: nowrap; }
.asof .when small { display: block; font-size: 10pt; font-weight: 400; }
.late { font-weight: 700; }
.twin { display: grid; grid-template-columns: 1fr 1fr; gap: 7mm; }
ol { margin: 1mm 0 0; padding-left: 6mm; } li { margin-bottom: 1mm; }
table { border-collapse: collapse; width: 100%; }
thead { display: table-header-group; } tr { break-inside: avoid; }
th { text-align: left; font-size: 8.5pt; border-bottom: 1.4pt solid #000; padding: 1mm 1.3mm; vertical-align: bottom; }
th.of { font-size: 12pt; border-bottom: 0; padding: 0 1.3mm 1.5mm; }
th.of small { font-weight: 400; font-size: 8.5pt; }
td { border-bottom: .6pt solid #777; padding: 1.1mm 1.3mm; vertical-align: top; }
th.w { width: 30%; }
td.n, th.n { text-align: right; white-space: nowrap; }
td.n b { font-size: 13pt; } td.c { white-space: nowrap; }
td small { font-size: 8pt; }
.box { display: inline-block; width: 4.6mm; height: 4.6mm; border: 1.2pt solid #000; vertical-align: -1mm; }
.write { border: .9pt solid #000; min-width: 15mm; }
.mark { display: inline-block; font-size: 7.5pt; font-weight: 700; border: 1pt solid #000; padding: 0 1mm; white-space: nowrap; }
.hot { background: #000; color: #fff; }
.never td { border-bottom: 1.2pt solid #000; } .never { font-weight: 700; }
.no td { background: #e4e4e4; }
.none { color: #000; font-style: italic; }
.place { break-before: page; } .place:first-of-type { break-before: page; }
.ward { font-weight: 700; }
.find td { font-size: 9pt; padding-top: .7mm; padding-bottom: .7mm; }
.form { page: form; break-before: page; }
.form h2 { margin-top: 0; }
.form .head { display: grid; grid-template-columns: 1.3fr 1.3fr 1fr 1.6fr; gap: 4mm; margin: 2mm 0 3mm; font-weight: 700; }
.form .head span { border-bottom: 1.1pt solid #000; padding-bottom: 1.5mm; }
.form table { table-layout: fixed; } .form td { height: 9.6mm; border: .9pt solid #000; font-weight: 700; }
.form th { border: .9pt solid #000; font-size: 8pt; }
.words { font-size: 8.5pt; margin-top: 2mm; }
@media screen { body { max-width: 190mm; margin: 8mm auto; padding: 0 4mm; } }
"""


def style(site: str, as_of: str, marks: str) -> str:
    """The style sheet; the three texts stand on every page."""
    named = {"site": text(site), "as_of": text(as_of), "marks": text(marks), "font": _FONT}
    return (_PAGE % named + _REST.replace("FONT", _FONT)).strip()


def text(value: str) -> str:
    """A text as a CSS string that can end neither itself nor the style sheet."""
    safe = "".join(f"\\{ord(char):x} " if char in "\"\\<>&\n\r" or not char.isprintable() else char for char in value)
    return f'"{safe}"'
