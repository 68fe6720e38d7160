#!/usr/bin/env python3
"""Renderings of small templates by Jinja2, as transformers' `apply_chat_template` sets it up.

    make_chat_template_fixture.py [--out DIR]

Writes tests/data/chat_template/renderings.jsonl: {"template", "variables"} with "text", or "error" where Jinja2 raises.
Made with transformers 5.23.0 and jinja2 3.1.6 on Python 3.11.
"""

import argparse
import json
from pathlib import Path

from transformers.utils.chat_template_utils import _compile_jinja_template

CHAT = [{"role": "system", "content": " Be brief. "}, {"role": "user", "content": "Hä? <i>&\"'\n日本\t🎉"},
        {"role": "assistant", "content": [{"type": "text", "text": "Yes"}, {"type": "image"}], "n": 3, "weight": 0.5},
        {"role": "user", "content": None, "tool_calls": []}]
DATA = {
    "messages": CHAT, "add_generation_prompt": True, "bos_token": "<s>", "empty": "", "n": 7, "x": 2.5, "yes": True, "nothing": None,
    "words": ["b", "A", "c", "a"], "numbers": [3, 1, 2.5, -4], "nested": [[1, 2], [3, [4, "x"]], []], "tool": {
        "name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "é"]}}, "required": ["a"]}},
    "people": [{"name": "Eva", "age": 31, "city": {"zip": 2}}, {"name": "adam", "age": 7, "city": {"zip": 1}}, {"name": "Bo", "age": 31}],
    "long": "one  two three\n four-five (six) seven", "html": "<a href=\"x\">T&J's</a>", "keys": {"b": 1, "A": 2, "c": [1.0, None, True]},
}

# Expressions; each is printed alone.
EXPRESSIONS = """
1 + 2 * 3 - 4 / 2 | 7 // 2 | -7 // 2 | 7 % 3 | -7 % 3 | 7.5 % 2 | -7.5 // 2 | 2 ** 10 | 2 ** -1 | 2 ** 3 ** 2 | -2 ** 2 | 1 / 3 | 4 / 2 | 10 ** 18
1_000 + 0x1F + 0b101 + 0o17 | 1e3 | 1.5e-7 | 1e16 | 1e15 | 123456789.0 | 0.1 + 0.2 | 1e300 * 1e10 | -0.0 | 2.50 | 1E5 | 1e-5 | 0.0001
+n | -x | --n | -yes | not n | not not n | not empty and yes | nothing or "d" | empty or nothing | n and x | yes and empty | false or 0
true | True | none | None | false | [true, none] | 1 == 1.0 | 1 == true | "1" == 1 | [1, 2] == [1, 2.0] | (1, 2) == [1, 2] | {"a": 1} == {"a": 1.0}
nothing == none | unknown == none | unknown == other | 1 != 2 | 1 < 2 < 3 | 1 < 2 > 5 | 1 <= 1.0 >= 1 | "a" < "b" | "Z" < "a" | [1, 2] < [1, 3] | (1,) < (1, 0)
"a" in "cat" | "x" not in "cat" | 2.0 in [1, 2] | "name" in tool | none in [none] | "" in "" | 3 in (1, 2) | "b" in keys.keys() | not "a" in "b" | 1 in {1: 2}
"a" ~ 1 ~ none ~ 2.0 ~ unknown ~ [1] | "a" + "b" * 3 | 2 * "ab" | [1] + [2] * 2 | (1, 2) + (3,) | "a" "b" 'c' | "-" * 0 | "ab" * -1 | n ~ "|" ~ x
"yes" if yes else "no" | "yes" if empty | ("a" if n > 9 else "b" if n > 5 else "c") | [1 if yes, 2]
tool.name | tool["name"] | tool.missing | tool["missing"] | tool.parameters.properties.a.type | messages[0].role | messages[-1]["role"] | messages.0.role | words[9] | nested[1][1][1]
"häß日"[1] | "häß日"[-1] | "abc"[5] | words[true] | "abc".0 | keys["c"][1] | keys.c[0] | tool.items is callable | {"items": 5}["items"] | {1: "a", 1.5: "b", none: "c", (1, 2): "d"}[(1, 2)]
"häß日本"[1:3] | "abcdef"[::2] | "abcdef"[::-1] | "abcdef"[-2:] | "abcdef"[:-2] | "abcdef"[4:1:-1] | words[1:] | words[:99] | words[-99:2] | words[3:1] | (1, 2, 3)[1:] | "é日x"[::-1] | range(9)[2:8:3]|list | words[:n - 5] | numbers[none:2]
[] | [1, "a", 'it''s', "say \\"q\\"", "both ' and \\""] | () | (1,) | (1, 2) | {} | {"a": 1, "b": {"c": [none, 1.5]}} | [1, 2,] | {"a": 1,} | ["\\n\\t\\\\\\x07\\u200b\\xa0é🎉"] | [[], {}, ()]
"\\x41\\u00e9\\U0001F389\\101\\q\\'" | '\\"' | 'a\\\\b' | "tab\\tend" | "a\\
b"
range(4)|list | range(2, 8, 3)|list | range(5, 0, -2)|list | range(0)|list | dict(a=1, b=2) | dict([("a", 1)], c=3) | dict(keys, z=1) | namespace(a=1).a | namespace({"b": 2}).b | namespace().zz | range(3)|length | range(5)[1]
raise_exception is callable | tool.get("name") | tool.get("zz") | tool.get("zz", 5) | keys.items()|list | keys.keys()|list | keys.values()|list | keys.items() | keys.keys() | {} .items()|length | keys|length
" a b ".strip() ~ "|" | " a ".lstrip() ~ "|" | " a ".rstrip() ~ "|" | "xxaxbxx".strip("x") | "abcabc".lstrip("ba") | "a\\u00a0\\u3000".strip() ~ "|" | "abc".rstrip("cb") | "abc".strip("")
"a,b,,c".split(",") | " a  b c ".split() | "a b c".split(" ", 1) | "a b c".split(none, 1) | "  a  b  c ".split(maxsplit=1) | "a-b-c".rsplit("-", 1) | " a  b c ".rsplit(none, 1) | "abc".split("x") | "".split() | "".split(",") | "a--b---c".rsplit("--")
"a\\nb\\r\\nc\\rd\\u2028e\\n".splitlines() | "a\\nb\\n".splitlines(true) | "".splitlines() | "a=b=c".partition("=") | "a=b=c".rpartition("=") | "abc".partition("x") | "abc".rpartition("x")
"abc".startswith("a") | "abc".startswith(("x", "ab")) | "abc".endswith("bc") | "abc".endswith(("c", "x")) | "abc".startswith("b", 1) | "abc".endswith("b", 0, 2) | "abc".startswith("") | "abc".startswith("", 4)
"aXbXc".replace("X", "-") | "aXbXc".replace("X", "", 1) | "abc".replace("", "-") | "abc".replace("abc", "") | "aaa".replace("aa", "b") | "häßlich ǆ".upper() | "ÀÉ".lower() | "hello wOrld it's x2y".title() | "éCOLE a".capitalize() | "Ab".swapcase() | "ßa".upper() | "ßa".capitalize()
"-".join(["a", "b"]) | "".join([]) | ", ".join(words) | "{} {}".format(1, "a") | "{1}{0}{1}".format("a", "b") | "{n:>5}|{n:<5}|{n:^5}|{n:05d}".format(n=42) | "{:.2f} {:+d} {:,} {:x} {:#X} {:b} {:e} {:%} {:g}".format(2.345, 3, 1234567, 255, 255, 5, 12345.678, 0.25, 0.0001)
"{:*^9}|{:>4}|{!r:>6}".format("ab", "日", "x") | "{0.name} {0[name]} {1[1]}".format(tool, words) | "{{}} {}".format(none) | "{:.3}".format("abcdef") | "{:>6}".format(true) | "{:6}|".format(2) | "{:6}|".format(2.0) | "{:<6}|".format(-2) | "{:.0f}".format(2.5)
"banana".count("an") | "banana".count("") | "banana".find("na") | "banana".rfind("na") | "banana".find("x") | "banana".find("na", 3) | "日本日".rfind("日") | "banana".index("n") | "banana".count("a", 2) | "a".find("", 5)
"12".isdigit() | "1²".isdigit() | "".isdigit() | "-1".isdigit() | "abc".isalpha() | "a1".isalnum() | " \\t".isspace() | "AB1".isupper() | "ab1".islower() | "1".islower() | "１２".isdecimal() | "½".isnumeric() | "1a".isnumeric() | "a".isascii() | "É".isupper()
"7".zfill(3) | "-7".zfill(4) | "a".center(4, "*") ~ "|" | "abc".center(6, "-") | "ab".center(5) ~ "|" | "a".ljust(3, ".") | "a".rjust(3) | "prefix-x".removeprefix("prefix-") | "a.py".removesuffix(".py") | "abc".removesuffix("x") | "AbC".casefold()
words.count("a") | words.index("c") | (1, 2, 1).count(1) | "%s and %d%%" % ("a", 5) | "%5.1f|%-5s|%05d|%x|%r" % (3.14159, "a", 42, 255, "q") | "%(a)s" % {"a": 1} | "%s" % "one" | "%s" % [1, 2] | "%+d % d" % (1, 2) | "%e %g" % (1234.5, 0.00001) | "%d" % 3.9
unknown | unknown is defined | unknown is undefined | tool.name is defined | tool.zz is defined | nothing is none | unknown is none | n is number | yes is number | "a" is number | x is float | n is float | n is integer | yes is integer | yes is boolean
"a" is string | n is string | tool is mapping | words is mapping | words is sequence | "a" is sequence | tool is sequence | n is sequence | words is iterable | n is iterable | (1, 2) is sequence | yes is true | 1 is true | yes is false | false is false | nothing is false | keys.items() is sequence | unknown is iterable | unknown is sequence
4 is even | 3 is odd | 9 is divisibleby 3 | 9 is divisibleby(2) | 1 is eq 1.0 | 1 is equalto(2) | 1 is ne 2 | 2 is gt 1 | 2 is ge 2 | 1 is lt 2 | 2 is le 1 | 2 is greaterthan 1 | 1 is lessthan 2 | "a" is in ["a"] | "a" is not in ["a"] | 3 is not number | n is sameas n | 1 is sameas 1.0 | none is sameas none
range is callable | "x" is callable | "ab" is lower | "AB" is upper | "Ab" is lower | "upper" is filter | "zzz" is filter | "defined" is test | n is not none and x is defined | n is defined or zz | "a" is escaped | not n is number
words|sort | words|sort(reverse=true) | words|sort(case_sensitive=true) | numbers|sort | people|sort(attribute="age,name")|map(attribute="name")|list | people|sort(attribute="age", reverse=true)|map(attribute="name")|join(",") | keys|sort | "hello"|sort|join
words|unique|list | words|unique(case_sensitive=true)|list | [1, 1.0, true, 2]|unique|list | people|unique(attribute="age")|map(attribute="name")|list | words|reverse|list | "häß"|reverse | (1, 2)|reverse|list | words|first | words|last | ""|first | []|last | "abc"|last | keys|first
words|join | words|join("-") | people|join(", ", attribute="name") | [1, none, 2.5]|join("/") | "abc"|join(".") | keys|join(",") | ""|join("x") | words|length | "häß"|length | tool|count | unknown|length | keys.items()|length
numbers|sum | numbers|max | numbers|min | words|max | words|min | people|sum(attribute="age") | [[1], [2]]|sum(start=[]) | []|max | people|max(attribute="age") | words|max(case_sensitive=true) | []|sum
people|map(attribute="name")|list | people|map(attribute="city.zip")|list | people|map(attribute="city.zip", default=0)|list | words|map("upper")|list | words|map("replace", "a", "z")|join | nested|map("length")|list | ["1", "x"]|map("int", default=9)|list | nested|map(attribute=0)|list | nothing|map("upper")|list
people|selectattr("age", "gt", 10)|map(attribute="name")|list | people|selectattr("city")|list|length | people|rejectattr("city")|map(attribute="name")|list | people|selectattr("name", "equalto", "Bo")|first | numbers|select("gt", 1)|list | numbers|reject("lt", 0)|list | [0, 1, "", "a"]|select|list | [0, 1]|reject|list | people|selectattr("city", "defined")|list|length | messages|rejectattr("role", "in", ["user"])|map(attribute="role")|list
people|groupby("age")|map("first")|list | people|groupby("city.zip", default=0)|length | [1, 2, 3, 4, 5]|batch(2)|list | [1, 2, 3]|batch(2, "x")|list | [1, 2, 3, 4, 5]|slice(3)|list | [1, 2, 3, 4]|slice(3, "x")|list | keys|dictsort | keys|dictsort(true) | {"a": 2, "b": 1}|dictsort(by="value") | {"a": 2, "b": 1}|dictsort(reverse=true) | keys|items|list | unknown|items|list
"  a "|trim ~ "|" | "xax"|trim("x") | n|trim | long|title | "heLLo"|capitalize | "a"|upper | n|upper | "aXb"|replace("X", "-") | "aaa"|replace("a", "b", 2) | 12321|replace(2, 0) | "ab"|center(6) ~ "|" | long|wordcount | long|indent | long|indent(2, true) | "a\\n\\nb"|indent("> ", blank=true) | "a\\n\\nb"|indent(first=true)
long|truncate(12) | long|truncate(12, true) | long|truncate(12, false, "…", 0) | "short"|truncate(3) | html|e | html|escape ~ "<" | html|safe | html|e|e | html|forceescape | (html|safe) + "<" | ("<"|e) + "<" | "<" + ("<"|safe) | html|string | n|string + "a"
"a b/c?é&"|urlencode | {"a b": "c/d", "e": 1}|urlencode | "%s-%s"|format("a", 1) | "%(a)s"|format(a=2) | tool|tojson | tool|tojson(indent=2) | [1, 2.0, none, true, "é\\"\\n🎉/</"]|tojson | "é🎉"|tojson(ensure_ascii=true) | {}|tojson(indent=1) | []|tojson | [[], {}]|tojson(indent=4) | {"b": 1, "a": 2}|tojson(sort_keys=true) | [1, {"a": 2}]|tojson(separators=(",", ":")) | {1: 2, none: 3, true: 4, 1.5: 5}|tojson | (1, 2)|tojson | [1]|tojson(indent="\\t") | 1e16|tojson | tool|tojson(indent=0)
unknown|default | unknown|default("d") | empty|default("d") | empty|default("d", true) | nothing|d("x") | nothing|d("x", boolean=true) | tool.zz|default([]) | unknown|d(1) + 1
"12"|int | "12.7"|int | "x"|int | "x"|int(5) | 3.9|int | -3.9|int | none|int | "0x1F"|int(0, 16) | "101"|int(base=2) | " 42 "|int | "1_000"|int | true|int | "1.5"|float | "x"|float | "x"|float(2.5) | 3|float | "1e3"|float | "inf"|float | "nan"|float | []|int(3)
2.5|round | 3.5|round | 2.567|round(2) | 2.5|round(method="ceil") | 2.51|round(1, "floor") | 7|round | 1234.5|round(-2) | -2.5|round | -3|abs | -2.5|abs | 2|abs | 1234|round(-2)
"abc"|list | keys|list | words|list | tool|attr("name") | "a"|attr("upper") is callable | [1, [2, 3]]|string | x|string | words|map("first")|list | [[3, 1], [2]]|map("sort")|list
messages|map(attribute="role")|unique|list | messages[1].content | messages[1].content|tojson | messages[1:]|length | messages|selectattr("role", "equalto", "user")|list|last is mapping | (messages|last).content is none | messages[2].content[0].text | messages[2].content|selectattr("type", "equalto", "image")|list|length
cycler("a", "b").next() | joiner(", ")() ~ "x" | (words|length > 3) and "many" | words|length|string + "!" | (1, 2)|first | not (yes and n) | n if n is odd else x | [n, x]|max | (n + 1) * 2 % 5 | n|abs + 1 | -n|abs | "a" ~ 1 + 2 | 2 * 3 ~ "x" | "a" < "b" and 1 < 2 or 0 | n is defined and n > 3
"" is defined | {"a": {"b": 1}}.a.b | {"a": 1}.a + 1 | ["x"][0].upper() | "a b"|upper().split(" ")|join | ("a" ~ "b").upper() | "a".upper().lower().title() | [1, 2, 3][1:][0] | ("x", "y")[1] | "abc"[1:][0] | words[0:1][0] | {"a": [1, 2]}["a"][-1]
1.0 | 100.0 | 1e100 | 1.23456789012345678 | 3.14 | 1e22 | 12345678901234567.0 | 5e-324 | 0.1 | 1/7 | 2/3*3 | 1e5*10 | 9007199254740993 | 7.0//2 | 7.0%2 | 1e16 + 1
"""

# Whole templates.
TEMPLATES = [
    "a\n  {% if yes %}\n  b\n  {% endif %}\nc\n", "a {% if yes %} b {% endif %} c\n\n", "a\n  {%- if yes %}\n  b\n  {%- endif %}\nc", "  {% if yes -%}\n\n  b  {%- endif -%}  \n c",
    "a\n  {%+ if yes +%}\n  b\n  {%+ endif %}\nc", "  {{ n }}  \n  {{- n -}}  \n x", "{# c #}\na{# d -#}  \n b {#- e #}\nc", "a\n  {# c #}\nb\n", "a  {#+ c +#}\nb", "  {# a #}{# b #}\nc",
    "{% raw %}{{ x }}{% if %}{# a #}{% endraw %}", "a\n  {%- raw -%}  \n {{ x }} \n {%- endraw -%} \n b", "  {% raw %}\n  a\n  {% endraw %}\n  b", "{% raw %}a{% endraw +%}\nb", "\n\n{{ n }}\n\n", "a\r\nb\rc\r\n{{ n }}\r\n", "{{ 'a\r\nb' }}",
    "{{ n }}\t{% if yes %}\tx{% endif %}", "\t{% set a = 1 %}\n\t{{ a }}", "x{% set a = 1 %}\n\ny{{ a }}", "{%- set a = 1 -%}  {{ a }}", "{{{'a': 1}}}", "{{ {'a': {'b': 1}} }}", "{{'}}'}}{{ '%}' }}", "{ { % }", "{{ 1, 2 }}", "{{ 'a' 'b' }}", "a{{- ' b ' -}}c",
    "{% for m in messages %}{{ m.role }},{% endfor %}", "{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }};{% endfor %}",
    "{% for w in words %}{{ loop.previtem }}<{{ w }}>{{ loop.nextitem }} {% endfor %}", "{% for w in words %}{{ loop.cycle('x', 'y', 'z') }}{% endfor %}", "{% for i in [1, 1, 2, 2, 1] %}{{ loop.changed(i) }}{% endfor %}",
    "{% for w in words if w != 'A' %}{{ loop.index }}/{{ loop.length }}{{ w }} {% else %}none{% endfor %}", "{% for w in [] %}x{% else %}none{% endfor %}", "{% for w in words if false %}x{% else %}{{ n }}{% endfor %}", "{% for a in unknown %}x{% else %}e{% endfor %}",
    "{% for k, v in keys.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in keys|dictsort %}{{ k }}={{ v }};{% endfor %}", "{% for k in keys %}{{ k }}{% endfor %}", "{% for c in 'hä日' %}{{ c }}-{% endfor %}", "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for (a, b) in [(1, 2)] %}{{ a + b }}{% endfor %}", "{% for i in range(3) %}{% for j in range(i) %}{{ i }}{{ j }}{{ loop.index }} {% endfor %}{{ loop.index }};{% endfor %}", "{% for i in range(9) %}{% if i == 2 %}{% continue %}{% elif i == 5 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in range(3) %}{% for j in range(3) %}{% if j == 1 %}{% break %}{% endif %}{{ i }}{{ j }} {% endfor %}{% endfor %}", "{% for i in [1, 2] %}{% break %}{% else %}e{% endfor %}x", "{% for i in [1, 2] %}{% if i == 2 %}{% break %}{% endif %}{% else %}e{% endfor %}x", "{% for i in [1] %}{% continue %}{% else %}e{% endfor %}x", "{% for x in nested recursive %}[{{ loop(x) if x is iterable and x is not string else x }}{{ loop.depth }}]{% endfor %}",
    "{% for i in [1] %}{{ loop.zz }}{% endfor %}{{ loop is defined }}", "{% for g, people in people|groupby('age') %}{{ g }}:{{ people|map(attribute='name')|join(',') }};{% endfor %}", "{% for b in numbers|batch(2) %}{{ b|join(',') }};{% endfor %}", "{% for i in 1, 2, 3 %}{{ i }}{% endfor %}",
    "{% set a = 1 %}{% for i in [1, 2] %}{% set a = a + i %}{{ a }}{% endfor %}{{ a }}", "{% set ns = namespace(a=1) %}{% for i in [1, 2] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns['a'] }}", "{% for i in [1, 2] %}{% if i == 1 %}{% set a = i %}{% endif %}{{ a }}|{% endfor %}{{ a is defined }}",
    "{% if yes %}{% set a = 5 %}{% endif %}{{ a }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set (a, b) = [1, 2] %}{{ a }}{{ b }}", "{% set a %}x{{ n }}y{% endset %}{{ a|upper }}{{ a }}", "{% set a | upper | trim %} x{{ n }}y {% endset %}{{ a }}", "{% set a %}{% set b = 1 %}{{ b }}{% endset %}{{ a }}{{ b is defined }}",
    "{% set ns = namespace() %}{% set ns.x %}q{% endset %}{{ ns.x }}", "{% set x = x + 1 %}{{ x }}", "{% set messages = messages[1:] %}{{ messages|length }}", "{% set a = 1, %}{{ a }}", "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "{% set a = 9 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% set a = 3 %}{{ a }}{% endwith %}{{ a }}", "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}",
    "{% if n > 9 %}a{% elif n > 5 %}b{% elif true %}c{% else %}d{% endif %}", "{% if unknown %}a{% else %}b{% endif %}", "{% if not unknown.x is defined %}{% endif %}", "{% if messages|selectattr('role', 'equalto', 'zz') %}generators are true{% endif %}", "{% if [] or {} or '' or 0 or 0.0 or none or () %}a{% else %}b{% endif %}", "{% if 1 if yes else 0 %}x{% endif %}",
    "{% macro f(a, b=2, c='x' ~ a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f(1) }}|{{ f(1, 3) }}|{{ f(a=1, c=4) }}|{{ f() }}", "{% macro f() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1, 2, a=3) }}", "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(4) }}", "{% macro f() %}{{ v }}{% endmacro %}{% set v = 1 %}{{ f() }}{% set v = 2 %}{{ f() }}",
    "{% macro f() %}{% set n = 99 %}{{ n }}{% endmacro %}{{ f() }}{{ n }}", "{% macro outer() %}{% macro inner(a) %}<{{ a }}>{% endmacro %}{{ inner(1) ~ inner(2) }}{% endmacro %}{{ outer() }}", "{% macro f(a) %}{{ caller(a) }}-{{ caller(2) }}{% endmacro %}{% call(x) f(1) %}[{{ x }}{{ n }}]{% endcall %}", "{% macro f() %}({{ caller() }}){% endmacro %}{% for i in [1, 2] %}{% call f() %}{{ i }}{% endcall %}{% endfor %}",
    "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(1)|int + 1 }}{{ f is callable }}{{ f.name }}", "{% macro f(items) %}{% for i in items %}{{ i if i is number else f(i) }}{% endfor %}{% endmacro %}{{ f([1, [2, [3, 4]]]) }}", "{% macro f(a, *b) %}{% endmacro %}", "{% macro f(a) %}{{ a }}{% endmacro %}{{ f(*[1]) }}{{ f(**{'a': 2}) }}", "{% macro f(a=none) %}{{ a }}{% endmacro %}{{ f() }}",
    "{% filter upper %}a{{ n }}b{% endfilter %}", "{% filter replace('a', 'b') | upper %}aXa{% endfilter %}", "{% filter trim %} {% for w in words %}{{ w }} {% endfor %} {% endfilter %}|", "{% generation %}a{{ n }}{% endgeneration %}b", "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.n }}{% set q = 5 %}{% endgeneration %}{{ q }}{% endif %}{% endfor %}", "a\n{%- generation %}\nx\n{%- endgeneration %}\nb",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.reset() }}{{ c.current }}", "{% set j = joiner('; ') %}{% for w in words %}{{ j() }}{{ w }}{% endfor %}", "{{ namespace }}"[:0] + "{{ strftime_now('%%') }}", "{{ raise_exception('no ' ~ n) }}", "{% if false %}{{ raise_exception('x') }}{% endif %}ok", "{% if yes %}{{ 1 if true else x|zzz }}{% endif %}", "{% if false %}{{ x|zzz }}{{ x is zzz }}{% endif %}ok", "{{ x|zzz }}", "{{ x is zzz }}", "{% if x|zzz %}{% endif %}",
    "{{ loop(1) }}", "{{ unknown.x }}", "{{ unknown.x.y is defined }}", "{{ unknown['x'] }}", "{{ unknown() }}", "{{ unknown + 1 }}", "{{ 1 + none }}", "{{ 'a' + 1 }}", "{{ 'a' < 1 }}", "{{ none < 1 }}", "{{ [1] < 'a' }}", "{{ 1 in 2 }}", "{{ 1 in 'a' }}", "{{ n() }}", "{{ 'a'.zz() }}", "{{ 1 / 0 }}", "{{ 1 % 0 }}", "{{ 1 // 0 }}", "{{ -'a' }}", "{{ {[]: 1} }}", "{{ [[]] in {} }}", "{{ tool.zz.y }}", "{{ nothing.x.y }}", "{{ nothing.x }}", "{{ n.x }}",
    "{{ words.append('x') }}", "{{ words.pop() }}", "{{ keys.update({}) }}", "{{ keys.pop('b') }}", "{% set a.b = 1 %}", "{% set ns = namespace() %}{% set ns._a = 1 %}", "{{ namespace(_a=1) }}", "{% for a, b in [1] %}{% endfor %}", "{% for a, b in [(1, 2, 3)] %}{% endfor %}", "{% for i in 5 %}{% endfor %}", "{% for i in none %}{% endfor %}", "{{ 5|length }}", "{{ none|length }}", "{{ words|map('upper')|length }}", "{{ (words|map('upper'))[0] }}", "{{ 'x'|sum }}", "{{ [1, 'a']|sort }}", "{{ [1, 'a']|max }}", "{{ unknown|tojson }}", "{{ range|tojson }}", "{{ unknown|int }}", "{{ none|abs }}", "{{ none|items|list }}", "{{ none|round }}",
    "{{ 'a'.split('') }}", "{{ 'a'.index('b') }}", "{{ ''.join([1]) }}", "{{ '{}'.format() }}", "{{ '{a}'.format() }}", "{{ '%d' % 'a' }}", "{{ '%s %s' % 'a' }}", "{{ '%s' % (1, 2) }}", "{{ '%q' % 1 }}", "{{ words[0:1:0] }}", "{{ range(10, 0, 0) }}", "{{ range(200000) }}", "{{ 'a'[none] }}", "{{ words['x'] }}", "{{ words[1.5] }}", "{{ words.upper() }}", "{{ [1, 2]|join(attribute='x') }}",
    "{% macro f(a) %}{% endmacro %}{{ f(1, 2) }}", "{% macro f(a) %}{% endmacro %}{{ f(b=2) }}", "{% macro f(a) %}{{ a.x }}{% endmacro %}{{ f() }}", "{{ 'abc'|replace('a') }}", "{{ 'abc'|upper(1) }}", "{{ 'a'|trim(zz=1) }}", "{{ x|default(default_value=1, zz=2) }}", "{{ [1, 2]|slice(0)|list }}",
    "{% if %}{% endif %}", "{% if yes %}", "{% endif %}", "{% else %}", "{% for i %}{% endfor %}", "{% for i in words %}", "{% for i in words %}{% endif %}", "{% set %}", "{% set a = %}", "{% set 1 = 2 %}", "{% zzz %}", "{% %}", "{{ }}", "{{ 1 + }}", "{{ (1 }}", "{{ [1 }}", "{{ 1) }}", "{{ {'a' 1} }}", "{{ 'a }}", "{{ a b }}", "{{ a.  }}", "{{ a[] }}", "{{ a|  }}", "{{ a is }}", "{{ 1 if }}", "{{ $ }}", "{{ a ! b }}", "{{ x", "{% if x", "{# x", "{% raw %}x", "{{ f(a=1, 2) }}", "{{ 1 is defined is defined }}", "{% break %}", "{% macro %}{% endmacro %}", "{% macro f(a=1, b) %}{% endmacro %}", "{% call 5 %}{% endcall %}", "{% filter zzz %}{% endfilter %}", "{% include 'a' %}", "{% extends 'a' %}", "{% import 'a' as b %}", "{% from 'a' import b %}", "{% do x %}", "{% trans %}x{% endtrans %}", "{% generation %}x", "{{ '\\x4' }}", "{{ \"a\\", "{% endfor %}", "{% for i in words %}{% else %}{% else %}{% endfor %}",
]


def cases():
    for line in EXPRESSIONS.replace("\\\n", "\\\0").strip().split("\n"):
        for expression in line.replace("\\\0", "\\\n").split(" | "):
            yield "{{ " + expression + " }}"
    yield from TEMPLATES


def render(template):
    try:
        return {"text": _compile_jinja_template(template).render(**DATA)}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".split("\n")[0]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "data" / "chat_template")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "renderings.jsonl", "w") as file:
        for template in cases():
            file.write(json.dumps({"template": template, **render(template)}, ensure_ascii=False) + "\n")
    (out / "variables.json").write_text(json.dumps(DATA, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
