// Vercel's AI SDK with four of its providers: DeepSeek's paths, /v1 (two providers) and /v1/messages.
import {createAnthropic} from '@ai-sdk/anthropic';
import {createDeepSeek} from '@ai-sdk/deepseek';
import {createOpenAI} from '@ai-sdk/openai';
import {createOpenAICompatible} from '@ai-sdk/openai-compatible';
import {APICallError, generateText, jsonSchema, Output, streamText, tool} from 'ai';
import world_js from './world.js';
const {must, thrown, version, stop_in} = world_js;

const messages = [{role: 'user', content: 'hello'}];
const ask = {messages, maxOutputTokens: 40, temperature: 0, maxRetries: 0};
const schema = jsonSchema({type: 'object', properties: {yes: {type: 'boolean'}}, required: ['yes'], additionalProperties: false});
const tools = {weather: tool({description: 'the weather of a place',
  inputSchema: jsonSchema({type: 'object', properties: {place: {enum: ['Ulm', 'Rom']}}, required: ['place'], additionalProperties: false})})};

// The cells that all providers share. `model`: of a server's address. `off`, `on`: their ways to steer thoughts.
// `any_object`: why an answer in JSON need not fit the schema.
function cells(world, {model, off, on, busy = 503, bad_value = 400, any_object = ''}) {
  const m = model(world.url);
  const generate = more => generateText({model: m, ...ask, ...off, ...more});
  const fails = async (call, status) => {
    const error = await thrown(call);
    must(APICallError.isInstance(error) && error.statusCode === status, error);
    return error;
  };
  return {
    plain: async () => {
      const r = await generate();
      must(r.text.length > 0 && ['stop', 'length'].includes(r.finishReason), JSON.stringify(r.response.body));
    },
    stream: async () => {
      const r = streamText({model: m, ...ask, ...off, onError: () => {}});
      let text = '';
      for await (const part of r.textStream) text += part;
      const plain = await generate();
      must(text === plain.text && await r.finishReason === plain.finishReason, `${text} is not ${plain.text}`);
    },
    ...(on && {think: async () => {
      const r = await generateText({model: m, ...ask, ...on});
      must(r.reasoningText.length > 0, JSON.stringify(r.response.body));
      const s = streamText({model: m, ...ask, ...on, onError: () => {}});
      await s.consumeStream();
      must((await s.reasoningText).length > 0, 'the stream has no thought');
    }}),
    no_think: async () => must(!(await generate()).reasoningText, 'a thought'),
    stop: async () => {
      const {stop, before} = stop_in((await generate()).text);
      must((await generate({stopSequences: [stop]})).text === before, 'the text goes on');
    },
    cancel: () => world.cancelled(async () => {
      const abort = new AbortController();
      const r = streamText({model: m, ...ask, ...off, messages: world.endless, maxOutputTokens: 30000, abortSignal: abort.signal, onError: () => {}});
      for await (const part of r.fullStream) if (part.type === 'text-delta') abort.abort();
    }),
    usage: async () => {
      const {usage} = await generate();
      must(usage.inputTokens > 0 && usage.outputTokens > 0 && usage.totalTokens === usage.inputTokens + usage.outputTokens, JSON.stringify(usage));
    },
    keep_alive: () => world.reuses(model, one => generateText({model: one, ...ask, ...off})),
    tools: async () => {
      const r = await generate({tools, toolChoice: 'auto'});
      must(r.finishReason === 'tool-calls' ? r.toolCalls[0].toolName === 'weather' : r.toolCalls.length === 0, JSON.stringify(r.response.body));
    },
    forced: async () => {
      const r = await generate({tools, toolChoice: 'required', maxOutputTokens: 2000});
      const [call] = r.toolCalls;
      must(call.toolName === 'weather' && ['Ulm', 'Rom'].includes(call.input.place), JSON.stringify(r.response.body));
    },
    schema: async () => {
      const r = await generate({output: Output.object({schema}), maxOutputTokens: 2000});
      must(any_object ? typeof r.output === 'object' : typeof r.output.yes === 'boolean', r.text);
      return any_object;
    },
    e401: async () => {
      const wrong = model(await world.keyed());
      await fails(() => generateText({model: wrong, ...ask}), 401);
    },
    e404: async () => { await fails(() => generateText({model: model(world.url, 'nobody'), ...ask}), 404); },
    e422: async () => { await fails(() => generate({topP: 9}), bad_value); },
    e429: async () => {
      const full = model(await world.full());
      const error = await fails(() => generateText({model: full, ...ask}), 429);
      await world.empty();
      must(error.isRetryable, 'not retryable');
    },
    e503: async () => {
      const ending = model(await world.draining());
      const error = await fails(() => generateText({model: ending, ...ask}), busy);
      world.end_draining();
      must(error.isRetryable, 'not retryable');
    },
  };
}

export function rows(world) {
  const options = (name, value) => ({providerOptions: {[name]: value}});
  const thinking = name => ({off: options(name, {thinking: {type: 'disabled'}}), on: options(name, {thinking: {type: 'enabled'}})});
  const row = (name, settings) => ({client: `ai + ${name}`, version: `${version('ai')} + ${version(name)}`, cells: cells(world, settings)});
  const deepseek = row('@ai-sdk/deepseek', {
    model: (url, id = 'tiny') => createDeepSeek({baseURL: url, apiKey: 'local'})(id), bad_value: 422, ...thinking('deepseek'),
    any_object: 'the client asks for any JSON object and puts the schema into the prompt'});
  const compatible = row('@ai-sdk/openai-compatible', {
    model: (url, id = 'tiny') => createOpenAICompatible({name: 'jevons', baseURL: url + '/v1', includeUsage: true, supportsStructuredOutputs: true})(id),
    off: options('jevons', {reasoningEffort: 'none'}), on: options('jevons', {thinking_budget: 10})});
  const openai = row('@ai-sdk/openai', {
    model: (url, id = 'tiny') => createOpenAI({baseURL: url + '/v1', apiKey: 'local'}).chat(id),
    off: options('openai', {reasoningEffort: 'none'})});
  // Of Responses, this provider reads no thought and sends no stop texts.
  const responses = row('@ai-sdk/openai', {
    model: (url, id = 'tiny') => createOpenAI({baseURL: url + '/v1', apiKey: 'local'}).responses(id)});
  responses.client += ' (Responses)';
  for (const cell of ['no_think', 'stop']) delete responses.cells[cell];
  const anthropic = row('@ai-sdk/anthropic', {
    model: (url, id = 'tiny') => createAnthropic({baseURL: url + '/v1', apiKey: 'local'})(id), busy: 529,
    off: options('anthropic', {thinking: {type: 'disabled'}}), on: options('anthropic', {thinking: {type: 'enabled', budgetTokens: 10}})});
  return [deepseek, compatible, openai, responses, anthropic];
}
