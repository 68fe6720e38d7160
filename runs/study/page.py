#!/usr/bin/env python3
"""One page of a study's tables.

    page.py STUDY_OUT

Reads STUDY_OUT/tables/*.json (vlsi study --format json), gate.txt where it is there, and of each seed of gate/ step 1, the stage `words`;
writes STUDY_OUT/study.html, which links STUDY_OUT/pages/*.html (vlsi study --page). Needs the standard library only.
"""

import html
import json
import sys
from pathlib import Path

from gate import metrics, number_of

ORDER = ["gate", "main", "table", "figure", "appendix", "search", "peers", "test"]
SHARES = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:110em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0;font-size:.92em;display:block;overflow-x:auto}th,td{padding:.2em .6em;border-bottom:1px solid #ddd;text-align:right}
td{white-space:nowrap}th:first-child,td:first-child{text-align:left}pre{background:#f4f4f4;padding:1em;overflow:auto}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#444}pre{background:#242424}a{color:#8bf}}"""


def rank(path):
    """Its place on the page, by the first word of its name."""
    word = path.stem.split("-")[0]
    return (ORDER.index(word) if word in ORDER else len(ORDER)), path.stem


def spread(value, digits=1, unit=1):
    text = f"{value['mean'] / unit:.{digits}f}"
    return text if value["deviation"] is None else f"{text} ± {value['deviation'] / unit:.{digits}f}"


def interval(ends, digits=2):
    return "-" if ends is None else f"{ends[0]:+.{digits}f} to {ends[1]:+.{digits}f}"


def table_html(cells):
    rows = []
    for i, row in enumerate(cells):
        tag = "th" if i == 0 else "td"
        rows.append("<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in row) + "</tr>")
    return "<table>" + "".join(rows) + "</table>"


def score_table(table):
    """Scores, differences to the baseline with both intervals, minutes and memory, one row a variant."""
    cells = [[table["evaluation"], "all", *table["categories"], f"minus {table['baseline']}", "95 % over seeds",
              "95 % over questions", "pairs", "minutes", "with inputs", "MiB", "seeds"]]
    for row in table["rows"]:
        difference = row["difference"]
        cells.append([row["title"], spread(row["score"]),
                      *(spread(row["categories"][name]) if name in row["categories"] else "-" for name in table["categories"]),
                      *(["-"] * 4 if difference is None else difference_cells(difference)), spread(row["seconds"], 1, 60),
                      spread(row["seconds_with_inputs"], 1, 60), spread(row["peak_memory_bytes"], 0, 2**20), str(row["score"]["count"])])
    return cells


def difference_cells(difference):
    return [f"{difference['mean']:+.2f}", interval(difference["seeds_interval"]), interval(difference["questions_interval"]),
            str(difference["count"])]


def comparison_table(table):
    """The study's further differences."""
    return [[table["evaluation"], "difference", "95 % over seeds", "95 % over questions", "pairs"],
            *([one["title"], *difference_cells(one["difference"])] for one in table["comparisons"])]


def loss_table(run, model):
    """Verbalizer losses by layer at shares of step 1: each the mean of the twentieth of the iterations before it."""
    losses = [record["layer_loss_words"] for record in metrics(run, f"verbalize-{model}") if "layer_loss_words" in record]
    if not losses:
        return None
    width = max(1, len(losses) // 20)
    ends = [max(1, round(share * len(losses))) for share in SHARES]
    columns = [[sum(layer) / len(layer) for layer in zip(*losses[max(0, end - width):end])] for end in ends]
    cells = [[f"{model}'s target layer", *(f"{100 * share:.0f} %" for share in SHARES)]]
    for layer, values in enumerate(zip(*columns)):
        cells.append([f"#{layer + 1}", *(f"{value:.3f}" for value in values)])
    return cells


def page(out):
    parts = ["<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><title>The study</title>",
             f"<style>{STYLE}</style><h1>The study</h1>"]
    if (out / "gate.txt").exists():
        parts.append(f"<h2>The gate</h2><pre>{html.escape((out / 'gate.txt').read_text())}</pre>")
    for path in sorted((out / "tables").glob("*.json"), key=rank):
        link = f" <small><a href='pages/{path.stem}.html'>curves and matches</a></small>" if (
            out / "pages" / f"{path.stem}.html").exists() else ""
        parts.append(f"<h2>{html.escape(path.stem)}{link}</h2>")
        for table in json.loads(path.read_text()):
            parts.append(table_html(score_table(table)))
            if table["comparisons"]:
                parts.append(table_html(comparison_table(table)))
    for seed in sorted((out / "gate").glob("seed-*"), key=number_of):
        if not (seed / "words" / "metrics.jsonl").exists():
            continue
        parts.append(f"<h2>Verbalization losses, {seed.name}</h2>")
        parts += [table_html(cells) for model in ("teacher", "student") if (cells := loss_table(seed / "words", model))]
    return "\n".join(parts) + "\n"


def main(out):
    if not (out / "tables").is_dir():
        print(f"page: {out}: has no tables/, expected a study's `out`", file=sys.stderr)
        return 2
    (out / "study.html").write_text(page(out))
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
