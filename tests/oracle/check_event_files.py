"""Event files of a run against its metrics.jsonl, read by TensorBoard's own package, and the fixture of its writer.

    vlsi distill run.yaml --set metrics.tensorboard=true        (stop it by Ctrl-C, and go on with --resume, as often as you like)
    python check_event_files.py run
    python check_event_files.py --write-fixture ../data/events/two_summaries.tfevents

Every number of metrics.jsonl that is drawn must be there once, at its iteration, rounded to float32, and nothing else.
Made with Python 3.11 and tensorboard 2.21.0.
"""
import argparse
import collections
import json
import pathlib
import struct

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def expected(line):
    for key, value in line.items():
        if key in ("step", "iteration"):
            continue
        if isinstance(value, (int, float)):
            yield key, value
        elif isinstance(value, list) and value and not any(isinstance(item, list) for item in value):
            if "matches" in line:
                if None not in value:
                    yield key, sum(value) / len(value)
            else:
                for place, item in enumerate(value, 1):
                    if item is not None:
                        yield f"{key}/{place}", item


def check(run):
    wanted = collections.defaultdict(lambda: collections.defaultdict(list))
    for text in (run / "metrics.jsonl").read_text().splitlines():
        line = json.loads(text)
        for tag, value in expected(line):
            wanted[line["step"]][tag].append((line["iteration"], value))
    folders = sorted(path.name for path in (run / "tensorboard").iterdir())
    assert folders == sorted(wanted), (folders, sorted(wanted))
    num_values = 0
    for step, tags in wanted.items():
        read = EventAccumulator(str(run / "tensorboard" / step), size_guidance={"scalars": 0, "tensors": 0}).Reload()
        found = {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
        assert sorted(found) == sorted(tags), (step, sorted(found), sorted(tags))
        for tag, values in tags.items():
            assert [at for at, _ in found[tag]] == [at for at, _ in values], (step, tag, found[tag], values)
            for (_, value), (_, other) in zip(found[tag], values):
                # A mean over matches may add up in another order than here: one unit of float32.
                assert abs(value - float32(other)) <= 2**-23 * abs(other), (step, tag, value, other)
            num_values += len(values)
    print(f"{run}: {num_values} numbers of {len(wanted)} steps are as in metrics.jsonl")


def write_fixture(path):
    with open(path, "wb") as file:
        writer = RecordWriter(file)
        for step, values in ((1, {"loss": 3.25, "layer_loss/1": -1e-30}), (300, {"learning_rate": 5e-5})):
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
            writer.write(Event(wall_time=1234567890.125, step=step, summary=summary).SerializeToString())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=pathlib.Path)
    parser.add_argument("--write-fixture", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.write_fixture:
        write_fixture(arguments.write_fixture)
    if arguments.run:
        check(arguments.run)
