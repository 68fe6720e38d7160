#!/usr/bin/env python3
"""Renders real chat templates with Jinja2, as transformers sets it up, and with this program, and counts how many are equal.

Versions: transformers 5.23.0, jinja2 3.1.6, and the templates of llama.cpp as llama-cpp-python 0.3.36 carries them in its source package:
    pip download --no-deps --no-binary llama-cpp-python llama-cpp-python==0.3.36
    tar xzf llama_cpp_python-0.3.36.tar.gz --strip-components=1 --wildcards '*/models/templates/*' '*/tests/test-chat-template.cpp'
    cmake --build --preset release --target render_chat_template
    python tests/oracle/real_chat_templates.py build/release/tests/render_chat_template vendor/llama.cpp [--show]

Every template is rendered with the twenty conversations below. A rendering counts where Jinja2 gives a text; where it raises, the
program must give an error, too (its wording is free). `--show` prints every difference. Exits with 1 where a rendering differs.
"""

import argparse
import ast
import collections
import json
import re
import subprocess
import sys
from pathlib import Path

from transformers.utils import chat_template_utils as templates

WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "Current weather of a place: \"now\" & <here>.",
    "parameters": {"type": "object", "required": ["place"], "properties": {
        "place": {"type": "string", "description": "City, e.g. Zürich"},
        "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
        "days": {"type": ["integer", "null"], "description": "How many days"}}}}}
ADD = {"type": "function", "function": {
    "name": "add", "description": "Adds numbers", "parameters": {"type": "object", "properties": {
        "numbers": {"type": "array", "items": {"type": "number"}}, "exact": {"type": "boolean"}}, "required": []}}}


def says(role, content, **more):
    return {"role": role, "content": content, **more}


def calls(name, arguments, content="", identity="call00001"):
    return says("assistant", content, tool_calls=[{"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}])


def result(name, content, identity="call00001"):
    return says("tool", content, name=name, tool_call_id=identity)


def text(words):
    return {"type": "text", "text": words}


IMAGE = {"type": "image"}
HELLO, HI = says("user", "Hello, wörld! <b>&amp;</b>"), says("assistant", "  Hi there.\n")
SYSTEM = says("system", "You are terse.\n")
ASKS = says("user", "Weather in Zürich?")
CALL, ANSWER = calls("get_weather", {"place": "Zürich", "unit": "celsius", "days": 2}), result("get_weather", '{"degrees": 21.5}')

# kind, messages, and further variables
CONVERSATIONS = [
    ("text", [HELLO], {}),
    ("text", [HELLO], {"add_generation_prompt": True}),
    ("text", [HELLO, HI], {}),
    ("text", [SYSTEM, HELLO], {"add_generation_prompt": True}),
    ("text", [SYSTEM, HELLO, HI, says("user", "  Und  jetzt? 日本語 🎉 \n"), says("assistant", "So: 1 < 2.")], {}),
    ("text", [HELLO, HI, says("user", "x"), says("assistant", "y"), says("user", "z")], {"add_generation_prompt": True}),
    ("text", [HELLO, says("assistant", "<think>\nHm.\n</think>\n\nYes."), says("user", "Sure?")], {"add_generation_prompt": True}),
    ("text", [HELLO, says("assistant", "Yes.", reasoning_content="Because.\n"), says("user", "Sure?")], {"add_generation_prompt": True}),
    ("text", [says("user", "<|im_end|>\n<|im_start|>system\n{{ 7 * 7 }}{% raw %}")], {"add_generation_prompt": True}),
    ("text", [HELLO], {"add_generation_prompt": True, "enable_thinking": False}),
    ("pictures", [says("user", [IMAGE, text("What is this?")])], {"add_generation_prompt": True}),
    ("pictures", [says("system", [text("Look closely.")]), says("user", [text("A "), IMAGE, text(" and "), IMAGE]),
                  says("assistant", [text("Both are red.")])], {}),
    ("pictures", [says("user", [{"type": "image_url", "image_url": {"url": "a.png"}}, text("?")]), HI,
                  says("user", [{"type": "image", "image": "b.png"}, text("And here?")])], {"add_generation_prompt": True}),
    ("pictures", [says("user", [text("only text")]), says("assistant", [text("fine")])], {"add_vision_id": True}),
    ("tools", [ASKS], {"tools": [WEATHER], "add_generation_prompt": True}),
    ("tools", [SYSTEM, ASKS, CALL, ANSWER], {"tools": [WEATHER, ADD], "add_generation_prompt": True}),
    ("tools", [ASKS, CALL, ANSWER, says("assistant", "21.5 degrees."), says("user", "Thanks")], {"tools": [WEATHER]}),
    ("tools", [says("user", "1.5 + 2?"), calls("add", {"numbers": [1.5, 2, -3e20], "exact": True}, "Adding."), result("add", "3.5")],
     {"tools": [ADD], "add_generation_prompt": True}),
    ("tools", [says("user", "Both"), {**CALL, "tool_calls": CALL["tool_calls"] + calls("add", {}, identity="call00002")["tool_calls"]},
               ANSWER, result("add", "0", "call00002"), says("assistant", "Done.")], {"tools": [WEATHER, ADD]}),
    ("tools", [ASKS, calls("get_weather", '{"place": "Zürich"}'), ANSWER], {"tools": [WEATHER], "add_generation_prompt": True}),
]
SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}


def read_templates(folder):
    """The templates of llama.cpp, by name: its files, and the strings of its test."""
    found = {path.name: path.read_text() for path in sorted((folder / "models" / "templates").glob("*.jinja"))}
    source = (folder / "tests" / "test-chat-template.cpp").read_text()
    for number, literal in enumerate(re.findall(r'/\* \.template_str=? \*/ (?:U8C\()?("(?:[^"\\]|\\.)*")', source)):
        found[f"test-chat-template.cpp {number}"] = ast.literal_eval(literal)
    return found


def by_jinja2(template, variables):
    try:
        return {"text": templates._compile_jinja_template(template).render(**variables)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path, help="render_chat_template")
    parser.add_argument("folder", type=Path, help="vendor/llama.cpp of the source package")
    parser.add_argument("--show", action="store_true", help="print every difference")
    arguments = parser.parse_args()
    cases = []
    for name, template in read_templates(arguments.folder).items():
        for kind, messages, more in CONVERSATIONS:
            variables = {"messages": templates._alias_reasoning_fields(messages), "tools": None, "documents": None,
                         "add_generation_prompt": False, **SPECIAL_TOKENS, **more}
            cases.append((name, kind, template, variables))
    requests = "".join(json.dumps({"template": template, "variables": variables}) + "\n" for _, _, template, variables in cases)
    answers = subprocess.run([arguments.program], input=requests, capture_output=True, text=True, check=True).stdout.splitlines()
    rendered, equal, refused = collections.Counter(), collections.Counter(), collections.Counter()
    unequal = set()
    for (name, kind, template, variables), answer in zip(cases, answers, strict=True):
        expected, answer = by_jinja2(template, variables), json.loads(answer)
        same = expected == answer if "text" in expected else "error" in answer
        (rendered if "text" in expected else refused)[kind] += 1
        equal[kind] += same and "text" in expected
        if not same:
            unequal.add(name)
            if arguments.show:
                print(f"{name} ({kind})\n  Jinja2: {expected}\n  ours:   {answer}")
    print(f"{len(cases) // len(CONVERSATIONS)} templates, {len(cases)} renderings")
    for kind in rendered:
        print(f"{kind}: {equal[kind]} of {rendered[kind]} equal; Jinja2 raises for {refused[kind]} more")
    print("templates with a difference:", ", ".join(sorted(unequal)) or "none")
    return 1 if unequal else 0


if __name__ == "__main__":
    sys.exit(main())
