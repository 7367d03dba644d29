"""The Python half of the client matrix: clients.py URL CONTROL [CLIENT...] writes a line of JSON for each cell."""
import importlib.metadata
import json
import sys
import traceback
import urllib.request

URL, CONTROL, *WANTED = sys.argv[1:]
MESSAGES = [{"role": "user", "content": "hello"}]
ON = {"thinking": {"type": "enabled", "budget_tokens": 10}}
OFF = {"thinking": {"type": "disabled"}}
SCHEMA = {"type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"], "additionalProperties": False}
FORMAT = {"type": "json_schema", "json_schema": {"name": "reply", "schema": SCHEMA, "strict": True}}
PLACE = {"type": "object", "properties": {"place": {"enum": ["Ulm", "Rom"]}}, "required": ["place"], "additionalProperties": False}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "the weather of a place", "parameters": PLACE}}
FORCED = {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False, "max_tokens": 2000}
RESULTS, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no result


def control(what):
    """Asks the world (world.js) for something: full, not_full, draining, end_draining, relay, connections/PORT."""
    with urllib.request.urlopen(f"{CONTROL}/{what}", timeout=60) as reply:
        return json.load(reply)


def post(path, body):
    with urllib.request.urlopen(URL + path, json.dumps(body).encode(), timeout=60) as reply:
        return json.load(reply)


def must(condition, what):
    if not condition:
        raise AssertionError(what)


def one_call(reply):
    """The reply holds one call that fits, and nothing else."""
    (call,) = reply.choices[0].message.tool_calls
    must(call.function.name == "weather" and json.loads(call.function.arguments)["place"] in ("Ulm", "Rom"), reply)


def fits(reply):
    must(isinstance(json.loads(reply.choices[0].message.content)["yes"], bool), reply)


def thrown(call):
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("no error came")


def cancelled(begin):
    before = control("metric/jevons_sequences_cancelled_total")
    begin()
    for _ in range(500):
        if control("metric/jevons_sequences_cancelled_total") > before:
            return
    raise AssertionError("the server did not notice the cancelled stream")


def stop_in(text):
    """A plain character behind the first few, and the text before it."""
    stop = next(c for c in text[3:] if "!" <= c <= "~")
    return stop, text[: text.index(stop)]


def counted(use):
    relay = control("relay")
    for _ in range(3):
        use(relay)
    seen = control("connections/" + relay.rsplit(":", 1)[1])
    must(seen == 1, f"{seen} connections")


def full(use):
    url = control("full")
    try:
        return thrown(lambda: use(url))
    finally:
        control("not_full")


def draining(use):
    url = control("draining")
    try:
        return thrown(lambda: use(url))
    finally:
        control("end_draining")


def openai_cells():
    import openai

    def client(url=URL):
        return openai.OpenAI(base_url=url + "/v1", api_key="local", max_retries=0)

    c = client()

    def chat(to=c, body=OFF, **more):
        ask = {"model": "tiny", "messages": MESSAGES, "max_tokens": 40, "seed": 7, **more}
        return to.chat.completions.create(**ask, extra_body=body)

    def plain():
        must(chat().choices[0].message.content, "no answer")

    def stream():
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chat(stream=True))
        must(text == chat().choices[0].message.content, text)

    def think():
        r = chat(body=ON)
        must(r.choices[0].message.reasoning_content, r)
        must(0 < r.usage.completion_tokens_details.reasoning_tokens <= 25, r)

    def no_think():
        must(not hasattr(chat().choices[0].message, "reasoning_content"), "a thought")

    def logprobs():
        for token in chat(logprobs=True, top_logprobs=2).choices[0].logprobs.content:
            must(token.logprob <= 0 and len(token.top_logprobs) == 2, token)

    def n():
        must(len(chat(n=2).choices) == 2, "not two")

    def stop():
        end, before = stop_in(chat().choices[0].message.content)
        r = chat(stop=end)
        must(r.choices[0].message.content == before and r.choices[0].finish_reason == "stop", r)

    def cancel():
        def begin():
            with chat(stream=True, messages=control("endless_messages"), temperature=0, max_tokens=30000) as chunks:
                next(chunk for chunk in chunks if chunk.choices[0].delta.content)

        cancelled(begin)

    def usage():
        last = list(chat(stream=True, stream_options={"include_usage": True}))[-1].usage
        must(last.total_tokens == last.prompt_tokens + last.completion_tokens, last)

    def fim():
        error = thrown(lambda: c.completions.create(model="tiny", prompt="a", suffix="b"))
        must(isinstance(error, openai.BadRequestError) and error.param == "suffix", error)
        return f"refused: {error.body['message']}"

    def echo():
        ids = post("/tokenize", {"content": "hello there"})["tokens"]
        r = c.completions.create(model="tiny", prompt=ids, echo=True, max_tokens=1, logprobs=1)
        must(len(r.choices[0].logprobs.token_logprobs) == len(ids) + 1, r)
        must(r.choices[0].logprobs.token_logprobs[0] is None, r)

    def responses():
        ask = {"model": "tiny", "input": "hello", "max_output_tokens": 40, "reasoning": {"effort": "none"}}
        r = c.responses.create(**ask, extra_body={"seed": 7})
        must(r.output_text == chat().choices[0].message.content, r)
        with c.responses.stream(**ask, extra_body={"seed": 7}) as events:
            for event in events:
                pass
            must(events.get_final_response().output_text == r.output_text, "the stream says something else")
        thinking = c.responses.create(**{**ask, "reasoning": {"effort": "minimal"}})
        must([item.type for item in thinking.output] == ["reasoning", "message"], thinking)

    def continued():
        ask = {"model": "tiny", "max_output_tokens": 40, "reasoning": {"effort": "none"}, "extra_body": {"seed": 7}}
        first = c.responses.create(input="hello", **ask)
        second = c.responses.create(input="and then?", previous_response_id=first.id, **ask)
        said = [{"role": "assistant", "content": first.output_text}, {"role": "user", "content": "and then?"}]
        must(second.output_text == chat(messages=[*MESSAGES, *said]).choices[0].message.content, second)
        c.responses.delete(first.id)
        is_error(thrown(lambda: c.responses.retrieve(first.id)), openai.NotFoundError)

    def embed():
        a, b = c.embeddings.create(model="tiny", input=["hello", "another"]).data  # as base64
        plain = c.embeddings.create(model="tiny", input="hello", encoding_format="float").data[0]
        must(a.embedding == plain.embedding and a.embedding != b.embedding, "base64 and numbers differ")

    def models():
        must(c.models.list().data[0].id == "tiny", "no model")

    def is_error(error, kind, code=None):
        must(isinstance(error, kind) and (code is None or error.code == code), error)

    return {
        "plain": plain,
        "stream": stream,
        "think": think,
        "no_think": no_think,
        "logprobs": logprobs,
        "n": n,
        "stop": stop,
        "cancel": cancel,
        "usage": usage,
        "keep_alive": lambda: keep_alive(),
        "fim": fim,
        "forced": lambda: one_call(chat(**FORCED)),
        "schema": lambda: fits(chat(response_format=FORMAT)),
        "schema_think": lambda: fits(chat(response_format=FORMAT, max_tokens=200, body=ON)),
        "echo": echo,
        "responses": responses,
        "embed": embed,
        "continued": continued,
        "models": models,
        "e401": lambda: is_error(thrown(lambda: chat(to=client(control("keyed")))), openai.AuthenticationError),
        "e404": lambda: is_error(thrown(lambda: chat(model="nobody")), openai.NotFoundError, "model_not_found"),
        "e422": lambda: is_error(thrown(lambda: chat(temperature=9)), openai.BadRequestError),
        "e429": lambda: is_error(full(lambda url: chat(to=client(url))), openai.RateLimitError, "rate_limit_exceeded"),
        "e503": lambda: is_error(draining(lambda url: chat(to=client(url))), openai.InternalServerError),
        "prefix": lambda: must(
            chat(messages=[*MESSAGES, {"role": "assistant", "content": "Well, ", "prefix": True}]).choices, "no answer"
        ),
    }


def with_one_client(make, ask):
    """Three requests of one client, which counted() gives the address of a relay that counts connections."""
    made = {}

    def use(url):
        ask(made.setdefault(url, make(url)))

    counted(use)


def keep_alive():
    import openai

    with_one_client(
        lambda url: openai.OpenAI(base_url=url + "/v1", api_key="local", max_retries=0),
        lambda c: c.chat.completions.create(model="tiny", messages=MESSAGES, max_tokens=5),
    )


def anthropic_cells():
    import anthropic

    def client(url=URL):
        return anthropic.Anthropic(base_url=url, api_key="local", max_retries=0)

    c = client()
    greedy = {"temperature": 0}  # no parameter of its own in this library any more
    ask = {"model": "tiny", "messages": MESSAGES, "max_tokens": 40, "extra_body": greedy}

    def send(to=c, **more):
        return to.messages.create(**{**ask, **OFF, **more})

    def text_of(message):
        return "".join(block.text for block in message.content if block.type == "text")

    def plain():
        must(text_of(send()), "no answer")

    def stream():
        with c.messages.stream(**ask, **ON) as events:
            final = events.get_final_message()
        must([b.to_dict() for b in final.content] == [b.to_dict() for b in send(**ON).content], final)

    def think():
        must(send(**ON).content[0].thinking, "no thought")

    def no_think():
        must(all(b.type == "text" for b in send().content), "a thought")

    def stop():
        end, before = stop_in(text_of(send()))
        r = send(stop_sequences=[end])
        must(text_of(r) == before and r.stop_sequence == end, r)

    def cancel():
        def begin():
            with c.messages.stream(**{**ask, **OFF, "messages": control("endless_messages"), "max_tokens": 30000}) as events:
                next(event for event in events if event.type == "content_block_delta")

        cancelled(begin)

    def usage():
        count = c.messages.count_tokens(model="tiny", messages=MESSAGES, **OFF).input_tokens
        u = send().usage
        must(u.input_tokens + u.cache_read_input_tokens == count, u)

    def forced():
        tool = {"name": "weather", "description": "the weather of a place", "input_schema": PLACE}
        choice = {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}
        r = send(tools=[tool], tool_choice=choice, max_tokens=2000)
        (block,) = r.content
        must(r.stop_reason == "tool_use" and block.name == "weather" and block.input["place"] in ("Ulm", "Rom"), r)

    def is_error(error, kind):
        must(isinstance(error, kind), error)

    return {
        "plain": plain,
        "stream": stream,
        "think": think,
        "no_think": no_think,
        "forced": forced,
        "stop": stop,
        "cancel": cancel,
        "usage": usage,
        "keep_alive": lambda: with_one_client(client, lambda one: send(to=one)),
        "e401": lambda: is_error(thrown(lambda: send(to=client(control("keyed")))), anthropic.AuthenticationError),
        "e404": lambda: is_error(thrown(lambda: send(model="nobody")), anthropic.NotFoundError),
        "e422": lambda: is_error(thrown(lambda: send(extra_body={"temperature": 9})), anthropic.BadRequestError),
        "e429": lambda: is_error(full(lambda url: send(to=client(url))), anthropic.RateLimitError),
        "e503": lambda: is_error(draining(lambda url: send(to=client(url))), anthropic.InternalServerError),
    }


def litellm_cells():
    import litellm

    def chat(url=URL, **more):
        ask = {"model": "openai/tiny", "messages": MESSAGES, "max_tokens": 40, "seed": 7, "extra_body": OFF, **more}
        return litellm.completion(**ask, api_base=url + "/v1", api_key="local", num_retries=0, max_retries=0)

    def plain():
        must(chat().choices[0].message.content, "no answer")

    def stream():
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chat(stream=True))
        must(text == chat().choices[0].message.content, text)

    def think():
        must(chat(extra_body=ON).choices[0].message.reasoning_content, "no thought")

    def no_think():
        must(not getattr(chat().choices[0].message, "reasoning_content", None), "a thought")

    def stop():
        end, before = stop_in(chat().choices[0].message.content)
        must(chat(stop=[end]).choices[0].message.content == before, "the text goes on")

    def usage():
        u = chat().usage
        must(u.prompt_tokens > 0 and u.total_tokens == u.prompt_tokens + u.completion_tokens, u)

    def is_error(error, kind):
        must(isinstance(error, kind), error)

    return {
        "plain": plain,
        "stream": stream,
        "think": think,
        "no_think": no_think,
        "n": lambda: must(len(chat(n=2).choices) == 2, "not two"),
        "forced": lambda: one_call(chat(**FORCED)),
        "schema": lambda: fits(chat(response_format=FORMAT)),
        "stop": stop,
        "usage": usage,
        "e401": lambda: is_error(thrown(lambda: chat(url=control("keyed"))), litellm.AuthenticationError),
        "e404": lambda: is_error(thrown(lambda: chat(model="openai/nobody")), litellm.NotFoundError),
        "e422": lambda: is_error(thrown(lambda: chat(temperature=9)), litellm.BadRequestError),
        "e429": lambda: is_error(full(lambda url: chat(url=url)), litellm.RateLimitError),
        "e503": lambda: is_error(draining(lambda url: chat(url=url)), litellm.ServiceUnavailableError),
    }


CLIENTS = {
    "openai (Python)": ("openai", openai_cells),
    "anthropic (Python)": ("anthropic", anthropic_cells),
    "litellm": ("litellm", litellm_cells),
}


def main():
    for client, (package, cells) in CLIENTS.items():
        if WANTED and not any(wanted in client for wanted in WANTED):
            continue
        for cell, run in cells().items():
            mark, note = "ok", ""
            try:
                note = run() or ""
            except Exception:
                mark, note = "FAIL", traceback.format_exc()[-900:]
            version = importlib.metadata.version(package)
            line = {"client": client, "version": version, "cell": cell, "mark": mark, "note": note}
            print(json.dumps(line), file=RESULTS, flush=True)


main()
