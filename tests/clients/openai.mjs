// The official OpenAI library for Node: /v1.
import OpenAI from 'openai';
import world_js from './world.js';
const {must, thrown, version, stop_in} = world_js;

const messages = [{role: 'user', content: 'hello'}];
const ask = {model: 'tiny', messages, max_tokens: 40, seed: 7};
const off = {thinking: {type: 'disabled'}};
const on = {thinking: {type: 'enabled', budget_tokens: 10}};
const weather = {type: 'function', function: {name: 'weather', description: 'the weather of a place',
  parameters: {type: 'object', properties: {place: {enum: ['Ulm', 'Rom']}}, required: ['place'], additionalProperties: false}}};
const schema = {type: 'object', properties: {yes: {type: 'boolean'}}, required: ['yes'], additionalProperties: false};

export function rows(world) {
  const client = (url = world.url, key = 'local') => new OpenAI({baseURL: url + '/v1', apiKey: key, maxRetries: 0});
  const c = client();
  const chat = more => c.chat.completions.create({...ask, ...more});
  const refused = async (call, param) => {
    const error = await thrown(call);
    must(error instanceof OpenAI.BadRequestError && error.param === param, error);
    return `refused: ${error.error.message}`;
  };
  return [{client: 'openai (Node)', version: version('openai'), cells: {
    plain: async () => {
      const r = await chat(off);
      const [choice] = r.choices;
      must(r.object === 'chat.completion' && r.model === 'tiny' && choice.message.role === 'assistant', JSON.stringify(r));
      must(choice.message.content.length > 0 && choice.message.refusal === null, JSON.stringify(r));
      must(['stop', 'length'].includes(choice.finish_reason), JSON.stringify(r));
    },
    stream: async () => {
      let text = '', end = null;
      for await (const chunk of await chat({...off, stream: true})) {
        text += chunk.choices[0].delta.content ?? '';
        end = chunk.choices[0].finish_reason ?? end;
      }
      const plain = (await chat(off)).choices[0];
      must(text === plain.message.content && end === plain.finish_reason, `${text} is not ${plain.message.content}`);
      const final = await c.chat.completions.stream({...ask, ...off}).finalContent();
      must(final === text, 'the helper stream() got another text');
    },
    think: async () => {
      const r = await chat(on);
      must(r.choices[0].message.reasoning_content.length > 0, JSON.stringify(r));
      const counted = r.usage.completion_tokens_details.reasoning_tokens;
      must(counted > 0 && counted <= 25, `${counted} tokens of thought, budget 10 and 13 for the closing tag`);
    },
    no_think: async () => {
      const r = await chat({reasoning_effort: 'none'});
      must(!r.choices[0].message.reasoning_content && r.usage.completion_tokens_details.reasoning_tokens === 0, JSON.stringify(r));
    },
    logprobs: async () => {
      const r = await chat({...off, logprobs: true, top_logprobs: 3});
      const tokens = r.choices[0].logprobs.content;
      const bytes = Buffer.from(tokens.flatMap(t => t.bytes));
      must(bytes.toString().startsWith(r.choices[0].message.content), 'the tokens are not the text');
      for (const t of tokens)
        must(t.top_logprobs.length === 3 && t.top_logprobs[0].logprob >= t.logprob && t.logprob <= 0, JSON.stringify(t));
    },
    n: async () => {
      const r = await chat({...off, n: 3});
      must(r.choices.length === 3 && r.choices.every((x, i) => x.index === i), JSON.stringify(r));
      must(new Set(r.choices.map(x => x.message.content)).size > 1, 'three times the same');
    },
    stop: async () => {
      const {stop, before} = stop_in((await chat(off)).choices[0].message.content);
      const r = await chat({...off, stop: [stop]});
      must(r.choices[0].message.content === before && r.choices[0].finish_reason === 'stop', JSON.stringify(r));
    },
    cancel: () => world.cancelled(async () => {
      const stream = await chat({...off, messages: world.endless, temperature: 0, stream: true, max_tokens: 30000});
      for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
    }),
    usage: async () => {
      let usage;
      for await (const chunk of await chat({...off, stream: true, stream_options: {include_usage: true}}))
        if (chunk.usage) usage = chunk.usage;
      must(usage.prompt_tokens > 0 && usage.total_tokens === usage.prompt_tokens + usage.completion_tokens, JSON.stringify(usage));
    },
    keep_alive: () => world.reuses(client, one => one.chat.completions.create({...ask, ...off})),
    prefix: async () => {
      const r = await chat({...off, messages: [...messages, {role: 'assistant', content: 'Well, ', prefix: true}]});
      must(!r.choices[0].message.content.startsWith('Well, '), 'the prefix was repeated');
    },
    fim: () => refused(() => c.completions.create({model: 'tiny', prompt: 'a', suffix: 'b'}), 'suffix'),
    tools: async () => {
      const r = await chat({...off, tools: [weather], tool_choice: 'auto'});
      const {message, finish_reason} = r.choices[0];
      must(finish_reason === 'tool_calls' ? message.tool_calls[0].function.name === 'weather' : !message.tool_calls, JSON.stringify(r));
    },
    forced: async () => {
      const named = {type: 'function', function: {name: 'weather'}};
      for (const more of [{tool_choice: 'required'}, {tool_choice: named}, {tool_choice: 'required', ...on}]) {
        const ask_call = {...off, tools: [weather], parallel_tool_calls: false, temperature: 2, max_tokens: 2000, ...more};
        const r = await chat(ask_call);
        const [made, none] = r.choices[0].message.tool_calls;
        must(!none && r.choices[0].finish_reason === 'tool_calls' && made.function.name === 'weather', JSON.stringify(r));
        must(['Ulm', 'Rom'].includes(JSON.parse(made.function.arguments).place), JSON.stringify(r));
        const again = await c.chat.completions.stream({...ask, ...ask_call}).finalMessage();
        must(again.tool_calls[0].function.arguments === made.function.arguments, 'the stream made another call');
        const after = await chat({...off, tools: [weather], messages: [...messages, r.choices[0].message,
          {role: 'tool', tool_call_id: made.id, content: '17 degrees'}]});
        must(after.choices[0].finish_reason, JSON.stringify(after));
      }
    },
    parallel: async () => {
      for (let seed = 0; seed < 20; ++seed) {
        const r = await chat({...off, tools: [weather], tool_choice: 'required', temperature: 2, seed, max_tokens: 2000});
        const made = r.choices[0].message.tool_calls;
        must(new Set(made.map(call => call.id)).size === made.length, 'ids are not unique');
        for (const call of made.slice(0, -1)) must(JSON.parse(call.function.arguments).place, JSON.stringify(r));
        if (made.length > 1) return;
      }
      throw new Error('never more than one call');
    },
    schema: async () => {
      const response_format = {type: 'json_schema', json_schema: {name: 'reply', schema, strict: true}};
      const r = await chat({...off, temperature: 2, response_format});
      must(typeof JSON.parse(r.choices[0].message.content).yes === 'boolean', JSON.stringify(r));
      const parsed = (await c.chat.completions.parse({...ask, ...off, response_format})).choices[0].message.parsed;
      must(typeof parsed.yes === 'boolean', JSON.stringify(parsed));
      const object = await chat({...off, max_tokens: 3, response_format: {type: 'json_object'}});
      must(object.choices[0].message.content.startsWith('{'), JSON.stringify(object));
      const no = {...schema, properties: {yes: {not: {}}}};
      return void await refused(() => chat({response_format: {type: 'json_schema', json_schema: {name: 'reply', schema: no}}}),
                                'response_format.json_schema.schema.properties.yes');
    },
    schema_think: async () => {
      const r = await chat({...on, max_tokens: 200, temperature: 1.5,
        response_format: {type: 'json_schema', json_schema: {name: 'reply', schema, strict: true}}});
      const {message} = r.choices[0];
      must(message.reasoning_content.length > 0 && typeof JSON.parse(message.content).yes === 'boolean', JSON.stringify(r));
    },
    echo: async () => {
      const ids = (await (await fetch(world.url + '/tokenize', {method: 'POST', body: '{"content":"hello there"}'})).json()).tokens;
      const r = await c.completions.create({model: 'tiny', prompt: ids, echo: true, max_tokens: 1, logprobs: 1});
      const {tokens, token_logprobs} = r.choices[0].logprobs;
      must(tokens.length === ids.length + 1 && token_logprobs[0] === null && token_logprobs.slice(1).every(x => x < 0), JSON.stringify(r));
      must(r.choices[0].text.startsWith('hello there'), JSON.stringify(r));
    },
    responses: async () => {
      const body = {model: 'tiny', input: 'hello', max_output_tokens: 40, seed: 7, reasoning: {effort: 'none'}};
      const r = await c.responses.create(body);
      must(r.output_text === (await chat(off)).choices[0].message.content, `${r.output_text} is not the answer of the chat`);
      let text = '', number = 0;
      for await (const event of await c.responses.create({...body, stream: true})) {
        must(event.sequence_number === number++, JSON.stringify(event));
        if (event.type === 'response.output_text.delta') text += event.delta;
      }
      must(text === r.output_text, `${text} is not ${r.output_text}`);
      const thinking = await c.responses.stream({...body, reasoning: {effort: 'minimal'}}).finalResponse();
      must(thinking.output.map(item => item.type).join() === 'reasoning,message', JSON.stringify(thinking));
      must(thinking.output[0].content[0].text.length > 0 && thinking.usage.output_tokens_details.reasoning_tokens > 0, JSON.stringify(thinking));
    },
    continued: async () => {
      const body = {model: 'tiny', max_output_tokens: 40, seed: 7, reasoning: {effort: 'none'}};
      const first = await c.responses.create({...body, input: 'hello'});
      const second = await c.responses.create({...body, input: 'and then?', previous_response_id: first.id});
      const whole = await chat({...off, messages: [...messages, {role: 'assistant', content: first.output_text}, {role: 'user', content: 'and then?'}]});
      must(second.output_text === whole.choices[0].message.content, 'the conversation was lost');
      must((await c.responses.retrieve(first.id)).output_text === first.output_text, 'another was stored');
      await c.responses.delete(first.id);
      must(await thrown(() => c.responses.retrieve(first.id)) instanceof OpenAI.NotFoundError, 'it is still there');
      const error = await thrown(() => c.responses.create({...body, input: 'x', previous_response_id: first.id}));
      must(error instanceof OpenAI.BadRequestError && error.param === 'previous_response_id', error);
      const count = await c.responses.inputTokens.count({model: 'tiny', input: 'hello', reasoning: {effort: 'none'}});
      must(count.input_tokens === first.usage.input_tokens, JSON.stringify(count));
    },
    embed: async () => {
      const {data, usage} = await c.embeddings.create({model: 'tiny', input: ['hello', 'hello', 'another']});  // as base64
      const plain = await c.embeddings.create({model: 'tiny', input: 'hello', encoding_format: 'float'});
      const [a, b, other] = data.map(d => d.embedding);
      must(JSON.stringify(a) === JSON.stringify(b) && JSON.stringify(a) !== JSON.stringify(other), 'equal texts differ, or others do not');
      must(a.every((x, i) => x === plain.data[0].embedding[i]), 'base64 and numbers differ');
      must(Math.abs(a.reduce((sum, x) => sum + x * x, 0) - 1) < 1e-5, 'the length is not 1');
      must(usage.prompt_tokens > 2 * plain.usage.prompt_tokens, JSON.stringify(usage));
    },
    models: async () => {
      const list = await c.models.list();
      must(list.data[0].id === 'tiny' && (await c.models.retrieve('tiny')).id === 'tiny', JSON.stringify(list));
    },
    e401: async () => {
      const wrong = client(await world.keyed());
      const error = await thrown(() => wrong.chat.completions.create(ask));
      must(error instanceof OpenAI.AuthenticationError && error.code === 'invalid_api_key', error);
      const right = client(await world.keyed(), 'the-key-of-the-matrix');
      must((await right.chat.completions.create(ask)).choices.length === 1, 'the right key is refused');
    },
    e404: async () => {
      const error = await thrown(() => chat({model: 'nobody'}));
      must(error instanceof OpenAI.NotFoundError && error.code === 'model_not_found', error);
    },
    e422: async () => {
      const error = await thrown(() => chat({temperature: 9}));
      must(error instanceof OpenAI.BadRequestError && error.param === 'temperature', error);
      const deepseek = new OpenAI({baseURL: world.url, apiKey: 'local', maxRetries: 0});
      const other = await thrown(() => deepseek.chat.completions.create({...ask, temperature: 9}));
      must(other instanceof OpenAI.UnprocessableEntityError && other.param === 'temperature', other);
    },
    e429: async () => {
      const full = client(await world.full());
      const error = await thrown(() => full.chat.completions.create(ask));
      await world.empty();
      must(error instanceof OpenAI.RateLimitError && Number(error.headers.get('retry-after')) > 0, error);
    },
    e503: async () => {
      const ending = client(await world.draining());
      const error = await thrown(() => ending.chat.completions.create(ask));
      world.end_draining();
      must(error instanceof OpenAI.InternalServerError && error.status === 503, error);
    },
  }}];
}
