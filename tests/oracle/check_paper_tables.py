#!/usr/bin/env python3
"""Compares src/eval/paper_tables.json with the paper's text: every number must be found in its row, in order.

    tests/oracle/check_paper_tables.py PAPER.txt

Python 3.11 alone. PAPER.txt is the text of the paper "VLsI: Verbalized Layers-to-Interactions from Large to Small Vision Language
Models", one line a row of a table. A text that was read from a scan has lost points ("454" for 45.4), dashes, and some digits: what it
has instead of a number is listed in MISREAD, and was looked up in the published page. A row with as many cells as the table has
columns must have each number in its column. Prints what was found how often; the exit status is 1 if a number was not found.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

TABLES = Path(__file__).resolve().parents[2] / "src/eval/paper_tables.json"

# How a scan spells them.
OTHER_NAMES = {
    "MM1-MoE-7B x32": ["MM 1-MoE-7B x32"],
    "VILA2-8B": ["VILAZ-8B"],
    "MM1-3B": ["MMI1-3B"],
    "MM1-MoE-3B x64": ["MMI1-MOoE-3B x64"],
    "MoE-LLaVA-1.8B x4": ["MOoE-LLaVA-1.8B x4"],
    "GPT-4o (0806)": ["GPT-40 (0806)"],
}
BENCHMARKS_3A = {"mmbench": "MMB", "mathvista": "MathVista", "mm-vet": "MM-Vet|CMMAVet", "mmmu": "MMMU"}

# (table, model, benchmark): what a scan has there; two numbers that ran together stand under both.
MISREAD = {
    ("1", "Qwen2-VL-7B", "qbench"): "715",  # 77.5
    ("1", "Qwen2-VL-7B", "ai2d"): "71.5",  # 77.5
    ("1", "VLsI-7B", "qbench"): "715",  # 77.5
    ("2", "TroL-3.8B", "mmbench-cn"): "71.1",  # 77.1
    ("2", "Phantom-3.8B", "mmbench-cn"): "71.1",  # 77.1
    ("3a", "MoVA-7B", "mathvista"): "43",  # 44.3
    ("3a", "CoLLaVO-7B", "mathvista"): "516",  # 57.6
    ("3a", "OmniFusion-7B", "mm-vet"): "3904415",  # 39.4 and 41.5
    ("3a", "DeepSeek-VL-7B", "mm-vet"): "3904415",
    ("3a", "VLsI-2B", "mm-vet"): "@8",  # 64.8
    ("3b", "VILA1.5-40B", "ai2d"): "71.8",  # 77.8
    ("4a", "LLaVA-OV-7B", "mmbench"): "30.8",  # 80.8
    ("4b", "VLsI-7B (Beam), no SFT", "mmbench"): "§2§",  # 85.2
    ("4b", "VLsI-7B (Beam), no SFT", "blink"): ";g;",  # 56.3
    ("4b", "VLsI-7B (Beam), no SFT", "mm-vet"): ";2;",  # 70.9
    ("4b", "VLsI-7B (Beam), no SFT", "mmmu"): "2;;",  # 63.5
    ("4c", "Qwen2-VL-7B, RS +50%", "mmmu"): "34.6",  # 54.6
    ("4c", "Qwen2-VL-7B, RS +100%", "mmmu"): "352",  # 55.2
}


def kind_of(token, value, place):
    """How a token of the text stands for a number, or None."""
    text = f"{value:.0f}" if value >= 200 else f"{value:.1f}"
    if token == text:
        return "as printed"
    if token == text.replace(".", ""):
        return "without its point"
    return "misread by the scan" if token == MISREAD.get(place) else None


def row_kinds(tokens, numbers, width):
    """How the tokens of a line stand for the numbers [(column, value, place)] of a row of `width` columns, or None."""
    if len(tokens) == width:
        by_column = {column: (value, place) for column, value, place in numbers}
        pairs = [(token, by_column.get(column)) for column, token in enumerate(tokens)]
        if all((number is None) == (token == "-") for token, number in pairs):
            kinds = [kind_of(token, *number) for token, number in pairs if number]
            return None if None in kinds else kinds
        return None
    kinds, at = [], 0
    present = [token for token in tokens if token != "-"]
    for _, value, place in numbers:
        shared = at > 0 and present[at - 1] == MISREAD.get(place) and len(present[at - 1]) > 4
        token = present[at - 1] if shared else present[at] if at < len(present) else ""
        at += not shared
        kinds.append(kind_of(token, value, place))
    return None if None in kinds or at != len(present) else kinds


def numbers_of(table, name, scores, benchmarks):
    return [(i, score, (table, name, benchmarks[i])) for i, score in enumerate(scores) if score is not None]


def rows_of(table):
    """[(names in the text, numbers, columns)]: Table 3(a) stands on its side."""
    name, benchmarks, rows = table["table"], table["benchmarks"], table["rows"]
    if name != "3a":
        return [([row["model"], *OTHER_NAMES.get(row["model"], [])],
                 numbers_of(name, row["model"], row["scores"], benchmarks), len(benchmarks)) for row in rows]
    return [(BENCHMARKS_3A[benchmark].split("|"),
             [(i, row["scores"][k], (name, row["model"], benchmark)) for i, row in enumerate(rows) if row["scores"][k] is not None],
             len(rows)) for k, benchmark in enumerate(benchmarks)]


def cells(line, names):
    """The cells of a line behind one of the names and its citation; None for a line of another row."""
    for name in names:
        found = re.match(r"\W*" + re.escape(name) + r"\s*(\[\d+\])?\s+(.*)", line)
        if found:
            return found.group(2).split()
    return None


def find_row(lines, names, numbers, width):
    for line in lines:
        tokens = cells(line, names)
        kinds = tokens and row_kinds(tokens, numbers, width)
        if kinds:
            return kinds
    return None


def find_run(lines, numbers):
    """The numbers as neighbours anywhere in a line: Table 4 has three tables side by side."""
    for line in lines:
        tokens = line.split()
        for at in range(len(tokens) - len(numbers) + 1):
            kinds = [kind_of(token, value, place) for token, (_, value, place) in zip(tokens[at:], numbers)]
            if None not in kinds:
                return kinds
    return None


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    missing, all_kinds = [], Counter()
    for table in json.loads(TABLES.read_text(encoding="utf-8")):
        kinds_of_table = Counter()
        for names, numbers, width in rows_of(table):
            kinds = find_run(lines, numbers) if table["table"].startswith("4") else find_row(lines, names, numbers, width)
            kinds_of_table.update(kinds or [])
            if kinds is None:
                missing.append(f"table {table['table']}, {names[0]}: {[value for _, value, _ in numbers]}")
        all_kinds += kinds_of_table
        print(f"table {table['table']}: {sum(kinds_of_table.values())} numbers found: "
              + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds_of_table.items())))
    print(f"together: {sum(all_kinds.values())} found: " + ", ".join(f"{count} {kind}" for kind, count in sorted(all_kinds.items())))
    for row in missing:
        print("not found:", row)
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
