"""Checks `vlsi serve` with the clients that people have: the openai package and curl.

Versions: openai 3.57.0, curl 7.88.1
    python tests/oracle/check_server_clients.py build/release/vlsi

Answers are compared with `vlsi generate` of the same model, in pieces and whole, with and without a picture; errors with the classes that the
package has for them.
"""

import argparse
import base64
import json
import subprocess
import tempfile
import threading
from pathlib import Path

import openai
from served_model import DATA, generate, make_model, served

PICTURE = DATA / "images" / "rgb_8.png"
QUESTION = "what color is the shape?"


def picture_message(url):
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url, "detail": "low"}}, {"type": "text", "text": QUESTION}]}]


def check_openai(program, model, address):
    client = openai.OpenAI(base_url=address + "/v1", api_key="any", max_retries=0)
    assert [item.id for item in client.models.list()] == ["model"]
    assert client.models.retrieve("model").id == "model"
    ask = lambda **more: client.chat.completions.create(**{"model": "model", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 9,
                                                           "temperature": 0, **more})
    expected = generate(program, model, "--greedy", "--prompt", QUESTION, "--max-new-tokens", 9)
    whole = ask()
    assert whole.choices[0].message.content == expected["text"], (whole, expected)
    assert whole.choices[0].finish_reason == expected["finish_reason"]
    assert whole.usage.completion_tokens == len(expected["tokens"])

    pieces = list(ask(stream=True, stream_options={"include_usage": True}))
    assert "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices) == expected["text"]
    assert pieces[-1].usage.completion_tokens == len(expected["tokens"]) and not pieces[-1].choices
    with client.chat.completions.stream(model="model", messages=[{"role": "user", "content": QUESTION}], max_tokens=9, temperature=0) as stream:
        try:
            final = stream.get_final_completion()
        except openai.LengthFinishReasonError as cut:  # the package's way to say so
            final = cut.completion
        assert final.choices[0].message.content == expected["text"] and final.choices[0].finish_reason == expected["finish_reason"]

    url = "data:image/png;base64," + base64.b64encode(PICTURE.read_bytes()).decode()
    seen = ask(messages=picture_message(url))
    expected = generate(program, model, "--greedy", "--image", PICTURE, "--prompt", QUESTION, "--max-new-tokens", 9)
    assert seen.choices[0].message.content == expected["text"]
    assert seen.usage.prompt_tokens > whole.usage.prompt_tokens
    assert ask(messages=picture_message("file://" + str(PICTURE))).choices[0].message.content == expected["text"]

    many = ask(n=4, temperature=1.5, seed=3, logprobs=True, top_logprobs=3)
    assert len({choice.message.content for choice in many.choices}) > 1
    for choice in many.choices:
        assert all(len(token.top_logprobs) == 3 and token.logprob <= 0 for token in choice.logprobs.content)
    again = ask(n=4, temperature=1.5, seed=3, logprobs=True, top_logprobs=3)
    assert [choice.message.content for choice in again.choices] == [choice.message.content for choice in many.choices]

    plain = client.completions.create(model="model", prompt=["what", "color"], max_tokens=5, logprobs=2, temperature=0)
    assert len(plain.choices) == 2 and len(plain.choices[0].logprobs.tokens) == 5
    pieces = list(client.completions.create(model="model", prompt="what", max_tokens=5, temperature=0, stream=True))
    assert "".join(piece.choices[0].text for piece in pieces) == plain.choices[0].text

    for error, more in [(openai.NotFoundError, {"model": "other"}), (openai.BadRequestError, {"max_tokens": -1}),
                        (openai.BadRequestError, {"messages": picture_message("http://127.0.0.1/a.png")}),
                        (openai.BadRequestError, {"messages": picture_message("file:///etc/passwd")}),
                        (openai.BadRequestError, {"messages": [{"role": "user", "content": "color " * 5000}]})]:
        try:
            ask(**more)
        except error as refused:
            assert refused.body["message"], refused
            continue
        raise AssertionError(f"{more} was taken")
    trimmed = [{"role": "user", "content": "color " * 3000}, {"role": "assistant", "content": "red"}, {"role": "user", "content": QUESTION}]
    assert ask(messages=trimmed, extra_body={"truncate_prompt": True}).usage.prompt_tokens == whole.usage.prompt_tokens
    print("openai: whole, in pieces, pictures, n, log-probabilities, completions, 5 errors")


def check_keys(program, model):
    with tempfile.TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        keys.write_text("sk-one\n")
        with served(program, model, "--api-key-file", keys, "--name", "model") as (_, address):
            for key, error in [("sk-one", None), ("sk-two", openai.AuthenticationError)]:
                client = openai.OpenAI(base_url=address + "/v1", api_key=key, max_retries=0)
                try:
                    client.models.list()
                    assert error is None
                except openai.AuthenticationError:
                    assert error is not None
    print("openai: keys")


def check_curl(address):
    def curl(*arguments, path="/v1/chat/completions"):
        return subprocess.run(["curl", "-sS", "-N", *arguments, address + path], check=True, capture_output=True, text=True, timeout=60).stdout

    body = json.dumps({"model": "model", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 5, "temperature": 0})
    answer = json.loads(curl("-H", "Content-Type: application/json", "-d", body))["choices"][0]["message"]["content"]
    events = curl("-H", "Content-Type: application/json", "-d", body[:-1] + ', "stream": true}').split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""], events
    assert "".join(json.loads(event[6:])["choices"][0]["delta"].get("content", "") for event in events[:-2]) == answer
    with tempfile.NamedTemporaryFile("w", suffix=".json") as large:  # above a megabyte curl waits for 100 Continue
        large.write(body[:-1] + ', "user": "' + "x" * 5_000_000 + '"}')
        large.flush()
        assert json.loads(curl("-H", "Content-Type: application/json", "-d", "@" + large.name))["choices"][0]["message"]["content"] == answer
    assert "vlsi_requests_total" in curl(path="/metrics") and json.loads(curl(path="/health"))["status"] == "ok"
    print("curl: whole, in pieces, 5 MB with 100 Continue, metrics, health")


def check_shutdown(program, model):
    """What runs is finished when the server is told to end."""
    with served(program, model, "--name", "model") as (process, address):
        client = openai.OpenAI(base_url=address + "/v1", api_key="any", max_retries=0)
        answers = []
        ask = lambda: answers.append(client.chat.completions.create(model="model", messages=[{"role": "user", "content": QUESTION}], max_tokens=1500,
                                                                    temperature=1.0, seed=1))
        thread = threading.Thread(target=ask)
        thread.start()
        while "vlsi_answers_running 1" not in subprocess.run(["curl", "-sS", address + "/metrics"], capture_output=True, text=True).stdout:
            assert thread.is_alive()
        process.terminate()
        thread.join()
        process.wait(60)
        assert answers and answers[0].choices[0].message.content
    print("shutdown: an answer that ran was finished")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    program = parser.parse_args().program
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(program, Path(folder) / "model")
        with served(program, model, "--media", DATA / "images", "--name", "model") as (_, address):
            check_openai(program, model, address)
            check_curl(address)
        check_keys(program, model)
        check_shutdown(program, model)


if __name__ == "__main__":
    main()
