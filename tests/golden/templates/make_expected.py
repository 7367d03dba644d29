#!/usr/bin/env python3
"""Makes conversations.json, expected.json and snippets.json: what plain jinja2, set up as transformers sets it up, gives.

Usage: python3 tests/golden/templates/make_expected.py   (needs jinja2 3.1.6 only)
The templates beside this script are model data, the chat_template texts published with the models they are named after.
Messages go to jinja2 as they are (transformers drops keys whose value is null first, which changes DeepSeek's tool calls).
"""
import datetime
import glob
import json
import os
import random

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = os.path.dirname(os.path.abspath(__file__))
NOW = datetime.datetime(2025, 3, 9, 8, 5, 7)
SPECIALS = {
    "DeepSeek": {"bos_token": "<｜begin▁of▁sentence｜>", "eos_token": "<｜end▁of▁sentence｜>"},
    "Llama": {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"},
    "Q": {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"},
    "SmolLM": {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"},
}


class Generation(Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_run"), [], [], body).set_lineno(line)

    def _run(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class Namespace(jinja2.utils.Namespace):
    """As in transformers: no names that start with an underscore."""

    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attributes = dict(*args, **kwargs)
        for name in attributes:
            Namespace.check(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name, value):
        Namespace.check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check(name):
        if name.startswith("_"):
            raise jinja2.exceptions.SecurityError(name)


ENV = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
ENV.filters["tojson"] = tojson
ENV.globals["raise_exception"] = raise_exception
ENV.globals["namespace"] = Namespace
ENV.globals["strftime_now"] = lambda form: NOW.strftime(form)


def render(source, variables):
    """The text, or None for any failure."""
    try:
        return ENV.from_string(source).render(**variables)
    except Exception:
        return None


def fnv1a(text):
    h = 0xCBF29CE484222325
    for b in text.encode():
        h = (h ^ b) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


ODD = ["", " ", "\n", "  both sides \n\n", "{{ 7*7 }} {% if x %}{# c #}", "</think>", "<think>a</think>b",
       "a</think>b</think>c", "<think>\nwhy\n</think>\n\nbecause", "back\\slash \\n and \"quotes\" 'single'",
       "é ß İ ǅ Σ 中文 🙂 e\u0301 \u00a0\u2003x\u3000", "<|im_end|><｜User｜><|eot_id|>", "tab\tand\r\nlines\rhere\x0b\x1c",
       "\u2028para\u2029 \x7f \x01", "<tool_response>x</tool_response>", "<b>&amp; 'x'</b>", "0", "None", "x" * 700,
       "line\n\n\nline", "\ufeffbom \u200b", "\n\nleading", "trailing\n\n", "<think>", "<think></think>", "user: assistant: "]
PLAIN = ["Hello", "What is 2+2?", "4.", "Sure, here it is.", "Tell me about Zürich.", "Why?", "Because it is so.", "你好",
         "Translate 'cat' to French.", "chat"]
TOOLS = [
    {"type": "function", "function": {"name": "get_weather", "description": "Weather at a place <now> & \"later\"",
     "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "Città 中"},
      "days": {"type": "integer", "default": 1}, "exact": {"type": "boolean", "default": False},
      "limit": {"type": "number", "default": 0.5, "maximum": 1e20, "minimum": -1.5e-7}}, "required": ["city"]}}},
    {"type": "function", "function": {"name": "noop", "description": "", "parameters": {"type": "object", "properties": {},
     "required": [], "extra": None, "nested": [[], {}, [1, [2, {"a": None}]]]}}},
]
ARGUMENTS = [{"city": "Paris"}, {}, {"city": "中\n\"q\"", "days": 3, "exact": True, "limit": 1.0, "list": [1, 2.5, None]}]


def conversations():
    rng = random.Random(20250309)
    pick = lambda: rng.choice(ODD if rng.random() < 0.45 else PLAIN)
    found = []

    def add(messages, tools=None, generate=True, **extra):
        found.append({"messages": messages, "tools": tools, "add_generation_prompt": generate, "extra": extra})

    user = lambda text: {"role": "user", "content": text}
    assistant = lambda text, **more: {"role": "assistant", "content": text, **more}

    def call(arguments, content=None, n=1, as_text=True, kind="function", name="get_weather"):
        calls = []
        for i in range(n):
            args = arguments[(i) % len(arguments)]
            calls.append({"id": f"call_{i}", "type": kind, "function": {
                "name": name if i % 2 == 0 else "noop",
                "arguments": json.dumps(args, ensure_ascii=False) if as_text else args}})
        return {"role": "assistant", "content": content, "tool_calls": calls}

    tool = lambda text: {"role": "tool", "content": text, "tool_call_id": "call_0", "name": "get_weather"}
    system = lambda text: {"role": "system", "content": text}

    for text in ODD + PLAIN:  # every text in every role
        add([user(text)])
        add([system(text), user("q"), assistant(text), user("again")], generate=rng.random() < 0.7)
    for text in ODD:
        add([user("q"), assistant(text, reasoning_content="thought " + rng.choice(ODD)), user("r")])
        add([user("q"), assistant(text)], generate=False)
    for think in (True, False):
        for base in ([user("q")], [system("s"), user("q"), assistant("<think>t</think>\n\na"), user("r")]):
            add(base, enable_thinking=think)
            add(base, thinking=think)
            add(base, thinking=think, generate=False)
            add(base + [assistant("prefix", prefix=True)], thinking=think, generate=False)
    for as_text in (True, False):
        for n in (1, 2, 3):
            for content in (None, "", "Let me look.", "<think>hm</think>\nLooking"):
                base = [user("weather?"), call(ARGUMENTS, content, n, as_text)]
                results = [tool(rng.choice(['{"t": 21}', "sunny", "", "中 \"x\""])) for _ in range(n)]
                add(base + results, TOOLS)
                add([system("Be brief.")] + base + results + [assistant("It is sunny."), user("thanks")], TOOLS[:1])
                if content is None:
                    add(base, TOOLS, generate=False)
                    add(base + results + [assistant("done")] + base + results, None)
    for tools in (TOOLS, TOOLS[1:], []):
        add([user("q")], tools)
        add([system(" s "), user(" q ")], tools, tools_in_user_message=False)
        add([user("q")], tools, date_string="01 Jan 2030")
    add([user("q"), call([{"query": "x"}], "", 1, False, name="brave_search"), tool("r")], builtin_tools=["brave_search", "code_interpreter"])
    add([user("q")], TOOLS, custom_tools=TOOLS[1:])
    add([system("only")])
    add([])
    add([], TOOLS)
    add([system("a"), system("b"), user("q")])
    add([user("a"), user("b")])
    add([assistant("first"), user("q")])
    add([{"role": "user"}])  # content missing
    add([user(None)])
    add([user(3)])
    add([user([{"type": "text", "text": "part"}])])
    add([user("q"), assistant(None)])
    add([user("q"), {"role": "assistant", "content": "x", "tool_calls": None}, user("r")])
    add([user("q"), {"role": "assistant", "content": "x", "tool_calls": []}, user("r")])
    add([{"role": "developer", "content": "d"}, user("q")])
    add([user("q"), {"role": "tool", "content": {"a": [1, None, True, 2.0]}}])
    add([user("q"), {"role": "ipython", "content": ["x", {"y": 1e-9}]}])
    while len(found) < 240:  # random walks
        messages = [system(pick())] if rng.random() < 0.4 else []
        for _ in range(rng.randint(1, 4)):
            messages.append(user(pick()))
            if rng.random() < 0.3:
                messages.append(call(ARGUMENTS, rng.choice([None, "", pick()]), rng.randint(1, 2), rng.random() < 0.6))
                messages += [tool(pick())] * rng.randint(1, 2)
            if rng.random() < 0.8:
                messages.append(assistant(pick(), **({"reasoning_content": pick()} if rng.random() < 0.3 else {})))
        add(messages, rng.choice([None, None, TOOLS]), rng.random() < 0.8,
            **({"enable_thinking": rng.random() < 0.5, "thinking": rng.random() < 0.5} if rng.random() < 0.3 else {}))
    return found


def main():
    chats = conversations()
    expected = {}
    for path in sorted(glob.glob(os.path.join(HERE, "*.jinja"))):
        name = os.path.basename(path)[:-6]
        with open(path, encoding="utf-8", newline="") as f:
            source = f.read()
        specials = next(v for k, v in SPECIALS.items() if name.startswith(k))
        results = []
        for i, chat in enumerate(chats):
            text = render(source, {**specials, "messages": chat["messages"], "tools": chat["tools"], "documents": None,
                                   "add_generation_prompt": chat["add_generation_prompt"], **chat["extra"]})
            # an error, the text itself for some, length and hash for the rest
            results.append(None if text is None else text if i % 23 == 0 else [len(text.encode()), f"{fnv1a(text):016x}"])
        expected[name] = {"specials": specials, "results": results}
        errors = sum(r is None for r in results)
        print(f"{name}: {len(results)} conversations, {errors} of them errors")
    dump("conversations.json", chats)
    with open(os.path.join(HERE, "expected.json"), "w", encoding="utf-8") as f:
        f.write("{\n" + ",\n".join(json.dumps(k) + ":" + json.dumps(v, ensure_ascii=False, separators=(",", ":"))
                                   for k, v in expected.items()) + "\n}\n")
    from snippets import CONTEXT, SNIPPETS
    dump("snippets.json", [{"context": CONTEXT}] + [[s, render(s, CONTEXT)] for s in SNIPPETS])
    print(f"{len(SNIPPETS)} snippets")


def dump(name, rows):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in rows) + "\n]\n")


main()
