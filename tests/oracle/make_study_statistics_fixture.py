#!/usr/bin/env python3
"""Expected values of a study's statistics, in float64.

    python tests/oracle/make_study_statistics_fixture.py tests/data/study/statistics.json

Made with scipy 1.14.1 and numpy 2.2.6: quantiles of Student's t, the interval of a paired t test over seeds, and a percentile
bootstrap over questions with many more samples than the program draws.
"""

import json
import sys
from pathlib import Path

import numpy
from scipy import stats

random = numpy.random.default_rng(1)
quantiles = [{"degrees": int(n), "level": level, "t": float(stats.t.ppf((1 + level) / 2, n))}
             for n in (1, 2, 3, 4, 5, 7, 8, 11, 30, 31, 120, 1001) for level in (0.5, 0.9, 0.95, 0.999)]
pairs = []
for count in (2, 3, 6, 8):
    ours, theirs = random.normal(84, 1, count), random.normal(83, 1, count)
    interval = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    pairs.append({"ours": ours.tolist(), "theirs": theirs.tolist(), "mean": float((ours - theirs).mean()),
                  "deviation": float((ours - theirs).std(ddof=1)), "low": float(interval.low), "high": float(interval.high)})
seeds, questions = 3, 400
hard = random.random(questions)
ours = (random.random((seeds, questions)) < 0.2 + 0.7 * hard).astype(int)
theirs = (random.random((seeds, questions)) < 0.1 + 0.7 * hard).astype(int)
differences = (ours - theirs).mean(axis=0)
drawn = numpy.array([random.choice(differences, questions).mean() for _ in range(50000)])
bootstrap = {"ours": ["".join(map(str, row)) for row in ours.tolist()], "theirs": ["".join(map(str, row)) for row in theirs.tolist()],
             "low": float(numpy.percentile(drawn, 2.5)), "high": float(numpy.percentile(drawn, 97.5)),
             "deviation": float(drawn.std())}
Path(sys.argv[1]).write_text(json.dumps({"quantiles": quantiles, "pairs": pairs, "bootstrap": bootstrap}, indent=1) + "\n")
