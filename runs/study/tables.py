#!/usr/bin/env python3
"""The tables of docs/study.md: what collect.py keeps, in Markdown, with a verdict on every difference.

    tables.py RESULTS.json [FILE...]      by default all its files

A difference is "seen" where both 95 % intervals leave out zero: `+` above the baseline, `-` below it. Needs the standard library only.
"""

import json
import sys
from pathlib import Path

from page import interval

KINDS = ("chain", "end-2", "end-3")
HEAD = ["", "n", "accuracy, %", *(f"`{kind}`" for kind in KINDS), "difference", "95 % over seeds", "over questions", "seen", "least seen",
        "seconds", "MiB"]


INPUTS = "seconds_with_inputs"  # it and `comparisons` are not in all results


def title_of(row):
    return row["title"].replace("|", "\\|")


def verdict(row):
    """`+` or `-` where both intervals leave out zero, on the same side."""
    ends = [row["seeds_interval"], row["questions_interval"]]
    if None in ends:
        return ""
    return "+" if all(low > 0 for low, _ in ends) else "-" if all(high < 0 for _, high in ends) else ""


def difference_cells(row):
    least = row["least_seen"]
    return [f"{row['difference']:+.1f}", interval(row["seeds_interval"], 1), interval(row["questions_interval"], 1), verdict(row),
            "–" if least is None else f"{least:.1f}"]


def cells(row):
    spread = "" if row["deviation"] is None else f" ± {row['deviation']:.1f}"
    found = [title_of(row), str(row["n"]), f"{row['accuracy']:.1f}{spread}", *(f"{row['kinds'][kind]:.0f}" if kind in row["kinds"] else "–" for kind in KINDS)]
    if "difference" in row:
        found += difference_cells(row)
    else:
        found += [""] * 5
    return found + [f"{row['seconds']:.0f}", *([f"{row[INPUTS]:.0f}"] if INPUTS in row else []), str(row["mib"])]


def pipes(row):
    return "| " + " | ".join(row) + " |"


def markdown(name, table, several):
    which = f", {table['evaluation']}" if several else ""
    head = [*HEAD[:-1], *(["with inputs"] if INPUTS in table["rows"][0] else []), HEAD[-1]]
    lines = [f"`{name}`{which}, differences to *{table['baseline']}*:", "", pipes(head), pipes(["---"] * len(head)),
             *(pipes(cells(row)) for row in table["rows"]), ""]
    if table.get("comparisons"):
        head = ["", "n", *HEAD[HEAD.index("difference"):HEAD.index("seconds")]]
        lines += [pipes(head), pipes(["---"] * len(head)),
                  *(pipes([title_of(one), str(one["pairs"]), *difference_cells(one)]) for one in table["comparisons"]), ""]
    return "\n".join(lines)


def main(arguments):
    path = Path(arguments[0])
    files = json.loads(path.read_text())["files"]
    names = arguments[1:] or list(files)
    unknown = [name for name in names if name not in files]
    if unknown:
        print(f"tables: {path}: has no '{unknown[0]}', expected some of {', '.join(files)}", file=sys.stderr)
        return 2
    for name in names:
        for table in files[name]:
            print(markdown(name, table, len(files[name]) > 1))
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] in ([], ["--help"], ["-h"]):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))
