"""Loads `vlsi serve` with 64 clients at once, a tenth of whose requests are hostile, and looks for wrong answers and growing memory.

Only the standard library.
    python tests/oracle/check_server_load.py build/release/vlsi [--requests 10000] [--model DIR]

Good requests are questions of a small set, plain and in pieces, text and pictures, each with the answer that the server gave before the load;
hostile ones are cut bodies, huge headers, wrong JSON, headers of pictures that promise 30,000 x 30,000, slow readers and writers, and clients
that leave. A good request may be told to come again (429, 503), and does. Prints answers a second, and the server's memory after every
thousand requests; what it takes after the first thousand may grow by 5 percent and 16 MiB at most.
"""

import argparse
import base64
import http.client
import json
import random
import socket
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlparse

from served_model import DATA, make_model, served

PICTURE = (DATA / "images" / "rgb_8.png").read_bytes()


def picture_url(data):
    return "data:image/png;base64," + base64.b64encode(data).decode()


def body_of(text, picture=None, **more):
    content = [{"type": "text", "text": text}]
    if picture:
        content.insert(0, {"type": "image_url", "image_url": {"url": picture}})
    return {"model": "model", "messages": [{"role": "user", "content": content}], "max_tokens": 8, "temperature": 0, **more}


def questions():
    texts = ["what color is the shape?", "is there a circle?", "what shape is in the image?", "is this red?"]
    for text in texts:
        yield body_of(text)
        yield body_of(text, picture_url(PICTURE))
        yield body_of(text, stream=True)
        yield body_of(text, temperature=1.0, seed=5)


class Load:
    def __init__(self, address, process, num_requests):
        self.host, self.port = urlparse(address).hostname, urlparse(address).port
        self.process, self.num_requests = process, num_requests
        self.questions = list(questions())
        self.expected = [self.answer(question) for question in self.questions]
        self.lock = threading.Lock()
        self.next, self.done, self.num_answers, self.num_again = 0, 0, 0, 0
        self.failures, self.memory = [], []

    def post(self, data, timeout=120):
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request("POST", "/v1/chat/completions", data, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def answer(self, question):
        """The text, or None where the client is told to come again."""
        status, text = self.post(json.dumps(question))
        if status in (429, 503):
            return None
        assert status == 200, f"{status} {text[:300]}"
        if not question.get("stream"):
            return json.loads(text)["choices"][0]["message"]["content"]
        events = text.split("\n\n")
        assert events[-2] == "data: [DONE]", text[-200:]
        return "".join(json.loads(event[6:])["choices"][0]["delta"].get("content", "") for event in events[:-2])

    def ask_well(self, number):
        place = number % len(self.questions)
        while (answer := self.answer(self.questions[place])) is None:
            with self.lock:
                self.num_again += 1
            time.sleep(0.05)
        assert answer == self.expected[place], f"found {answer!r}, expected {self.expected[place]!r}"
        with self.lock:
            self.num_answers += 1

    def raw(self, data, wait=True):
        with socket.create_connection((self.host, self.port), timeout=60) as connection:
            try:
                connection.sendall(data)
                return connection.recv(64) if wait else b""
            except (ConnectionError, TimeoutError):
                return b""

    def be_hostile(self, draw):
        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        body = json.dumps(self.questions[1]).encode()
        kind = draw.randrange(8)
        if kind == 0:  # a cut body, and gone
            self.raw(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:draw.randrange(len(body))], wait=False)
        elif kind == 1:
            reply = self.raw(head + b"X: " + b"x" * 100_000 + b"\r\n\r\n")
            assert reply == b"" or b" 431 " in reply, reply
        elif kind == 2:
            status, text = self.post(draw.choice([b"{", b"[]", b"\xff", b"{}" * 1000, b"[" * 5000, b'{"model": 5}', body.replace(b"user", b"nobody")]))
            assert status in (400, 503) and "error" in json.loads(text), (status, text)
        elif kind == 3:
            huge = PICTURE[:16] + (30_000).to_bytes(4, "big") * 2 + PICTURE[24:]
            status, text = self.post(json.dumps(body_of("what?", picture_url(huge))))
            assert status in (400, 503) and "error" in json.loads(text), (status, text)
        elif kind == 4:  # asks for much and leaves
            data = json.dumps(body_of("what?", max_tokens=100_000, stream=draw.random() < 0.5)).encode()
            self.raw(head + b"Content-Length: %d\r\n\r\n" % len(data) + data, wait=draw.random() < 0.5)
        elif kind == 5:  # writes slowly
            with socket.create_connection((self.host, self.port), timeout=60) as connection:
                try:
                    for byte in head[: draw.randrange(20)]:
                        connection.sendall(bytes([byte]))
                        time.sleep(0.02)
                except ConnectionError:
                    pass
        elif kind == 6:  # reads slowly
            data = json.dumps(self.questions[2]).encode()
            with socket.create_connection((self.host, self.port), timeout=60) as connection:
                try:
                    connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(data) + data)
                    for _ in range(20):
                        connection.recv(1)
                        time.sleep(0.02)
                except ConnectionError:
                    pass
        else:
            reply = self.raw(head + b"Content-Length: 99999999999\r\n\r\n")
            assert reply == b"" or b" 413 " in reply, reply

    def work(self, client):
        draw = random.Random(client)
        while True:
            with self.lock:
                number, self.next = self.next, self.next + 1
            if number >= self.num_requests:
                return
            try:
                self.be_hostile(draw) if number % 10 == 9 else self.ask_well(draw.randrange(1 << 20))
            except Exception as error:  # every kind of failure is counted
                with self.lock:
                    self.failures.append(f"request {number}: {type(error).__name__} {error}")
            with self.lock:
                self.done += 1
                if self.done % 1000 == 0:
                    self.memory.append(self.resident_bytes())
                    print(f"{self.done} requests, {self.memory[-1] / 2**20:.0f} MiB, {self.num_again} told to come again", flush=True)

    def resident_bytes(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--model", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or make_model(options.program, Path(folder) / "model")
        with served(options.program, model, "--name", "model") as (process, address):
            load = Load(address, process, options.requests)
            start = time.time()
            threads = [threading.Thread(target=load.work, args=(client,)) for client in range(options.clients)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seconds = time.time() - start
            assert load.answer(load.questions[0]) == load.expected[0]
    for failure in load.failures[:20]:
        print(failure)
    print(f"{len(load.failures)} failures, {load.num_answers} answers, {load.num_answers / seconds:.0f} a second")
    assert not load.failures
    if len(load.memory) > 1:
        growth = max(load.memory[1:]) - load.memory[0]
        print(f"memory after the first thousand: {load.memory[0] / 2**20:.0f} MiB, at most {growth / 2**20:+.1f} MiB later")
        assert growth <= 0.05 * load.memory[0] + (16 << 20)


if __name__ == "__main__":
    main()
