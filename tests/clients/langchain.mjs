// LangChain for JavaScript: @langchain/openai on /v1 and @langchain/deepseek on DeepSeek's paths.
import {ChatDeepSeek} from '@langchain/deepseek';
import {ChatOpenAI} from '@langchain/openai';
import world_js from './world.js';
const {must, thrown, version, stop_in} = world_js;

const weather = {type: 'function', function: {name: 'weather', description: 'the weather of a place',
  parameters: {type: 'object', properties: {place: {enum: ['Ulm', 'Rom']}}, required: ['place'], additionalProperties: false}}};
const schema = {title: 'reply', type: 'object', properties: {yes: {type: 'boolean'}}, required: ['yes'], additionalProperties: false};

function cells(world, make, bad_value) {
  const c = make(world.url);
  const off = {thinking: {type: 'disabled'}};
  const model = (more = {}, url = world.url) => make(url, {modelKwargs: off, ...more});
  const status = async (call, wanted) => {
    const error = await thrown(call);
    must(error.status === wanted, error);
    return error;
  };
  return {
    plain: async () => {
      const r = await model().invoke('hello');
      must(r.content.length > 0 && ['stop', 'length'].includes(r.response_metadata.finish_reason), JSON.stringify(r));
    },
    stream: async () => {
      let text = '';
      for await (const chunk of await model().stream('hello')) text += chunk.content;
      const plain = (await model().invoke('hello')).content;
      must(text === plain, `${text} is not ${plain}`);
    },
    no_think: async () => must(!(await model().invoke('hello')).additional_kwargs.reasoning_content, 'a thought'),
    ...(bad_value === 422 && {think: async () => {
      const r = await c.invoke('hello');
      must(r.additional_kwargs.reasoning_content.length > 0, JSON.stringify(r));
      let thought = '';
      for await (const chunk of await c.stream('hello')) thought += chunk.additional_kwargs.reasoning_content ?? '';
      must(thought === r.additional_kwargs.reasoning_content, 'the stream has another thought');
    }}),
    logprobs: async () => {
      const r = await model({logprobs: true, topLogprobs: 2}).invoke('hello');
      must(r.response_metadata.logprobs.content.length > 0, JSON.stringify(r));
    },
    n: async () => {
      const r = await model({n: 2, temperature: 1}).generate([[['user', 'hello']]]);
      must(r.generations[0].length === 2, JSON.stringify(r));
    },
    stop: async () => {
      const {stop, before} = stop_in((await model().invoke('hello')).content);
      must((await model({stop: [stop]}).invoke('hello')).content === before, 'the text goes on');
    },
    cancel: () => world.cancelled(async () => {
      for await (const chunk of await model({maxTokens: 30000}).stream(world.endless)) if (chunk.content) break;
    }),
    usage: async () => {
      const {usage_metadata: u} = await model().invoke('hello');
      must(u.input_tokens > 0 && u.total_tokens === u.input_tokens + u.output_tokens, JSON.stringify(u));
    },
    keep_alive: () => world.reuses(url => model({}, url), one => one.invoke('hello')),
    tools: async () => {
      const r = await model().bindTools([weather], {tool_choice: 'auto'}).invoke('hello');
      must(r.response_metadata.finish_reason === 'tool_calls' ? r.tool_calls[0].name === 'weather' : r.tool_calls.length === 0, JSON.stringify(r));
    },
    forced: async () => {
      const r = await model({maxTokens: 2000}).bindTools([weather], {tool_choice: 'weather'}).invoke('hello');
      must(r.tool_calls[0].name === 'weather' && ['Ulm', 'Rom'].includes(r.tool_calls[0].args.place), JSON.stringify(r));
    },
    schema: async () => {
      const r = await model({maxTokens: 2000}).withStructuredOutput(schema, {method: 'jsonSchema'}).invoke('hello');
      must(typeof r.yes === 'boolean', JSON.stringify(r));
    },
    e401: async () => {
      const wrong = model({}, await world.keyed());
      await status(() => wrong.invoke('hello'), 401);
    },
    e404: async () => { await status(() => make(world.url, {model: 'nobody'}).invoke('hello'), 404); },
    e422: async () => { await status(() => model({temperature: 9}).invoke('hello'), bad_value); },
    e429: async () => {
      const full = model({}, await world.full());
      await status(() => full.invoke('hello'), 429);
      await world.empty();
    },
    e503: async () => {
      const ending = model({}, await world.draining());
      await status(() => ending.invoke('hello'), 503);
      world.end_draining();
    },
  };
}

export function rows(world) {
  const common = {model: 'tiny', apiKey: 'local', maxRetries: 0, maxTokens: 40, temperature: 0};
  const row = (name, Chat, base, bad_value) => ({client: name, version: version(name), cells: cells(world,
    (url, more) => new Chat({...common, configuration: {baseURL: url + base}, ...more}), bad_value)});
  return [row('@langchain/openai', ChatOpenAI, '/v1', 400), row('@langchain/deepseek', ChatDeepSeek, '', 422)];
}
