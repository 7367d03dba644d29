// The Ollama library for JavaScript: /api.
import {Ollama} from 'ollama';
import world_js from './world.js';
const {must, thrown, version, stop_in} = world_js;

const ask = {model: 'tiny', messages: [{role: 'user', content: 'hello'}], think: false, options: {num_predict: 40, seed: 7}};

export function rows(world) {
  const client = (url = world.url) => new Ollama({host: url});
  const c = client();
  const failed = async (status, call) => {
    const error = await thrown(call);
    must(error.status_code === status && error.message.length > 0, error);
    return error.message;
  };
  return [{client: 'ollama (JS)', version: version('ollama'), cells: {
    plain: async () => {
      const r = await c.chat(ask);
      must(r.done && r.message.role === 'assistant' && r.message.content.length > 0, JSON.stringify(r));
      must((await c.generate({model: 'tiny', prompt: 'hello', think: false, options: ask.options})).response.length > 0, 'no answer');
    },
    stream: async () => {
      let text = '', done = false;
      for await (const part of await c.chat({...ask, stream: true})) text += part.message.content, done = part.done;
      const plain = (await c.chat(ask)).message.content;
      must(done && text === plain, `${text} is not ${plain}`);
    },
    think: async () => must((await c.chat({...ask, think: true})).message.thinking.length > 0, 'no thought'),
    no_think: async () => must(!(await c.chat(ask)).message.thinking, 'a thought'),
    stop: async () => {
      const {stop, before} = stop_in((await c.chat(ask)).message.content);
      const r = await c.chat({...ask, options: {...ask.options, stop: [stop]}});
      must(r.message.content === before && r.done_reason === 'stop', JSON.stringify(r));
    },
    cancel: () => world.cancelled(async () => {
      const stream = await c.chat({...ask, messages: world.endless, stream: true, options: {num_predict: 30000, temperature: 0}});
      for await (const part of stream) if (part.message.content) { stream.abort(); break; }
    }),
    usage: async () => {
      const r = await c.chat(ask);
      must(r.prompt_eval_count > 0 && r.eval_count > 0 && r.total_duration > 0, JSON.stringify(r));
    },
    keep_alive: () => world.reuses(client, one => one.chat(ask)),
    tools: async () => {
      const r = await c.chat({...ask, tools: [{type: 'function', function: {name: 'f', description: 'f', parameters: {type: 'object', properties: {}}}}]});
      must(r.done && r.message.role === 'assistant', JSON.stringify(r));
    },
    schema: async () => {
      const format = {type: 'object', properties: {yes: {type: 'boolean'}}, required: ['yes'], additionalProperties: false};
      const r = await c.chat({...ask, options: {num_predict: 2000}, format});
      must(typeof JSON.parse(r.message.content).yes === 'boolean', JSON.stringify(r));
    },
    models: async () => {
      must((await c.list()).models[0].name.startsWith('tiny'), 'list');
      must((await c.ps()).models.length === 1, 'ps');
      must((await c.show({model: 'tiny'})).details, 'show');
    },
    e401: async () => {
      const url = await world.keyed();
      await failed(401, () => client(url).chat(ask));
      const right = new Ollama({host: url, headers: {authorization: 'Bearer the-key-of-the-matrix'}});
      must((await right.chat(ask)).done, 'the right key is refused');
    },
    e404: async () => { await failed(404, () => c.chat({...ask, model: 'nobody'})); },
    e422: async () => { await failed(400, () => c.chat({...ask, options: {temperature: 'hot'}})); },
    e429: async () => {
      const full = client(await world.full());
      await failed(429, () => full.chat(ask));
      await world.empty();
    },
    e503: async () => {
      const ending = client(await world.draining());
      await failed(503, () => ending.chat(ask));
      world.end_draining();
    },
  }}];
}
