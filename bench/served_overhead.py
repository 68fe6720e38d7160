"""How much longer questions take through `vlsi serve` than through `vlsi answer`: served_overhead.

Only the standard library.
    python bench/served_overhead.py build/release/vlsi MODEL DATA.json IMAGES [--dtype float32] [--questions 200] [--max-new-tokens 8]
        [--repetitions 3]

Both answer the first questions of the data file greedily, pictures included; the server is asked by 64 clients and answers as many at once, which is
what `vlsi answer` does. What one question takes is taken off both: of `vlsi answer` it has the program's start, which the server has behind it.
Prints one line of JSON with the medians and their ratio; served_to_whole: the server's time, nothing taken off ÷ that of `vlsi answer`.
"""

import argparse
import base64
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlparse

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "oracle"))
from served_model import served  # noqa: E402

AT_ONCE = 64


def body_of(record, images, max_new_tokens):
    url = "data:image/png;base64," + base64.b64encode((images / record["image"]).read_bytes()).decode()
    text = record["conversations"][0]["value"].removeprefix("<image>\n")
    content = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": text}]
    return json.dumps({"model": "model", "messages": [{"role": "user", "content": content}], "max_tokens": max_new_tokens, "temperature": 0})


def ask(address, body):
    connection = http.client.HTTPConnection(urlparse(address).hostname, urlparse(address).port, timeout=600)
    connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
    text = json.loads(connection.getresponse().read())["choices"][0]["message"]["content"]
    connection.close()
    return text


def serve_all(address, bodies):
    start = time.time()
    with ThreadPoolExecutor(AT_ONCE) as clients:
        answers = list(clients.map(lambda body: ask(address, body), bodies))
    return time.time() - start, answers


def answer_all(options, records, folder):
    (folder / "data.json").write_text(json.dumps(records))
    out = folder / "answers.json"
    start = time.time()
    subprocess.run([options.program, "answer", "--model", options.model, "--data", folder / "data.json", "--images", options.images, "--out", out,
                    "--dtype", options.dtype, "--max-new-tokens", str(options.max_new_tokens)], check=True, stderr=subprocess.DEVNULL)
    return time.time() - start, [record["conversations"][-1]["value"] for record in json.loads(out.read_text())]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("images", type=Path)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--max-new-tokens", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    records = json.loads(options.data.read_text())[: options.questions]
    bodies = [body_of(record, options.images, options.max_new_tokens) for record in records]
    answered, one, through_server, one_through_server = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.repetitions):
            one.append(answer_all(options, records[:1], Path(folder))[0])
            seconds, expected = answer_all(options, records, Path(folder))
            answered.append(seconds)
            with served(options.program, options.model, "--greedy", "--name", "model", "--dtype", options.dtype,
                        "--max-sequences", str(AT_ONCE)) as (_, address):
                ask(address, bodies[0])  # the server is ready
                one_through_server.append(serve_all(address, bodies[-1:])[0])
                seconds, answers = serve_all(address, bodies)
            assert answers == expected, "the answers differ"
            through_server.append(seconds)
    answer_seconds = statistics.median(answered) - statistics.median(one)
    serve_seconds = statistics.median(through_server) - statistics.median(one_through_server)
    print(json.dumps({"answer_seconds": round(answer_seconds, 3), "serve_seconds": round(serve_seconds, 3),
                      "served_overhead": round(serve_seconds / answer_seconds, 3),
                      "served_to_whole": round(statistics.median(through_server) / statistics.median(answered), 3)}))


if __name__ == "__main__":
    main()
