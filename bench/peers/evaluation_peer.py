#!/usr/bin/env python3
"""The peer of bench/evaluation.py: pandas reads a table, as VLMEvalKit does.

    evaluation_peer.py FILE.tsv      prints {"rows", "bytes" (of the texts), "seconds", "peak_mb"}

pandas 3.1.
"""

import json
import resource
import sys
import time

import pandas

start = time.perf_counter()
table = pandas.read_csv(sys.argv[1], sep="\t")
seconds = time.perf_counter() - start
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps({"rows": len(table), "bytes": int(table["image"].str.len().sum()), "seconds": seconds, "peak_mb": peak_mb}))
