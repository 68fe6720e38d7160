#!/usr/bin/env python3
"""Step 2 in forms that the paper does not have, at the shapes of Qwen2-VL 2B and 7B with fewer layers: one function a key.

    bench/study.py --peer-python PYTHON [--rounds 3] [--only KEY,KEY...] [--json FILE]

on_policy_to_off_policy: seconds a token of an iteration whose answers the student has drawn itself, without the drawing, ÷ those of an
iteration on the records' own answers, which are as long. The sides take turns; a ratio is that of their medians, printed with its range over
the rounds. Prints and, with --json, writes {key: value}.
"""

import statistics

from keys import main
from true_size import STUDENT_LAYERS, Bench, durations

ANSWER = 99  # tokens; a student with random weights nearly never ends by itself


class Study(Bench):
    def on_policy_to_off_policy(self):
        data = self.text_data([388] * 16, ANSWER)
        settings = {"data.train": f'[{{path: "{data}"}}]', "optimizer.accumulate": 2, "teacher.model": self.model(STUDENT_LAYERS)}
        drawn = {"interact.on_policy.share": 1, "interact.on_policy.max_new_tokens": ANSWER}
        drawing = []

        def seconds_a_token(**more):
            lines = self.interact(6, **settings, **more)
            drawing.extend(line.get("generation_seconds", 0) / line["tokens"] for line in lines)
            return statistics.median((seconds - line.get("generation_seconds", 0)) / line["tokens"]
                                     for seconds, line in zip(durations(lines), lines[1:]))

        on_policy, off_policy = self.rounds(lambda: seconds_a_token(**drawn), seconds_a_token)
        print(f"an iteration, a token: on-policy without the drawing {1e3 * on_policy:.2f} ms, off-policy {1e3 * off_policy:.2f} ms; "
              f"the drawing {1e3 * max(drawing):.2f} ms at most")
        return {"on_policy_to_off_policy": on_policy / off_policy}


if __name__ == "__main__":
    main(Study, __doc__, "on_policy_to_off_policy")
