#!/usr/bin/env python3
"""Puts the human labels that the student is given back into the teacher's answers.

    answers.py TEACHER_ANSWERS.json LABELLED.json OUT.json
"""

import json
import sys
from pathlib import Path

answered, labelled, out = map(Path, sys.argv[1:])
known = {record["id"]: record for record in json.loads(labelled.read_text())}
records = [known.get(record["id"], record) for record in json.loads(answered.read_text())]
out.write_text(json.dumps(records) + "\n")
