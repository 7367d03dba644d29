// The official Anthropic library for Node: /v1/messages.
import Anthropic from '@anthropic-ai/sdk';
import world_js from './world.js';
const {must, thrown, version, stop_in} = world_js;

const ask = {model: 'tiny', max_tokens: 40, messages: [{role: 'user', content: 'hello'}], temperature: 0};
const off = {thinking: {type: 'disabled'}};
const on = {thinking: {type: 'enabled', budget_tokens: 10}};
const weather = {name: 'weather', description: 'the weather of a place',
  input_schema: {type: 'object', properties: {place: {enum: ['Ulm', 'Rom']}}, required: ['place'], additionalProperties: false}};
const text_of = message => message.content.filter(b => b.type === 'text').map(b => b.text).join('');

export function rows(world) {
  const client = (url = world.url, key = 'local') => new Anthropic({baseURL: url, apiKey: key, maxRetries: 0});
  const c = client();
  const send = more => c.messages.create({...ask, ...more});
  return [{client: '@anthropic-ai/sdk', version: version('@anthropic-ai/sdk'), cells: {
    plain: async () => {
      const r = await send(off);
      must(r.type === 'message' && r.role === 'assistant' && text_of(r).length > 0, JSON.stringify(r));
      must(['end_turn', 'max_tokens'].includes(r.stop_reason), JSON.stringify(r));
    },
    stream: async () => {
      const final = await c.messages.stream({...ask, ...on}).finalMessage();
      const plain = await send(on);
      must(JSON.stringify(final.content) === JSON.stringify(plain.content), `${JSON.stringify(final)} is not ${JSON.stringify(plain)}`);
      must(final.stop_reason === plain.stop_reason && final.usage.output_tokens === plain.usage.output_tokens, JSON.stringify(final));
    },
    think: async () => {
      const r = await send(on);
      must(r.content[0].type === 'thinking' && r.content[0].thinking.length > 0, JSON.stringify(r));
    },
    no_think: async () => must((await send(off)).content.every(b => b.type === 'text'), 'there is a thought'),
    stop: async () => {
      const {stop, before} = stop_in(text_of(await send(off)));
      const r = await send({...off, stop_sequences: [stop]});
      must(text_of(r) === before && r.stop_reason === 'stop_sequence' && r.stop_sequence === stop, JSON.stringify(r));
    },
    cancel: () => world.cancelled(async () => {
      for await (const event of await send({...off, messages: world.endless, max_tokens: 30000, stream: true}))
        if (event.type === 'content_block_delta') break;
    }),
    usage: async () => {
      const {usage} = await send(off);
      const count = await c.messages.countTokens({model: 'tiny', messages: ask.messages, ...off});
      must(usage.input_tokens + usage.cache_read_input_tokens === count.input_tokens && usage.output_tokens > 0, JSON.stringify(usage));
    },
    keep_alive: () => world.reuses(client, one => one.messages.create({...ask, ...off})),
    prefix: async () => {
      const r = await send({...off, messages: [...ask.messages, {role: 'assistant', content: 'Well,'}]});
      must(!text_of(r).startsWith('Well,'), 'the prefix was repeated');
    },
    tools: async () => {
      const r = await send({...off, tools: [weather], tool_choice: {type: 'auto'}});
      must(r.stop_reason === 'tool_use' || r.content.every(b => b.type === 'text'), JSON.stringify(r));
    },
    forced: async () => {
      for (const tool_choice of [{type: 'any', disable_parallel_tool_use: true}, {type: 'tool', name: 'weather', disable_parallel_tool_use: true}]) {
        const ask_call = {...ask, ...off, tools: [weather], tool_choice, max_tokens: 2000};
        const r = await c.messages.create(ask_call);
        const [block, more] = r.content;
        must(!more && r.stop_reason === 'tool_use' && block.type === 'tool_use' && ['Ulm', 'Rom'].includes(block.input.place), JSON.stringify(r));
        const final = await c.messages.stream(ask_call).finalMessage();
        must(JSON.stringify(final.content[0].input) === JSON.stringify(block.input), JSON.stringify(final));
        const after = await send({...off, tools: [weather], messages: [...ask.messages, {role: 'assistant', content: r.content},
          {role: 'user', content: [{type: 'tool_result', tool_use_id: block.id, content: '17 degrees'}]}]});
        must(after.type === 'message', JSON.stringify(after));
      }
    },
    e401: async () => {
      const wrong = client(await world.keyed());
      const error = await thrown(() => wrong.messages.create(ask));
      must(error instanceof Anthropic.AuthenticationError, error);
      const right = client(await world.keyed(), 'the-key-of-the-matrix');
      must((await right.messages.create(ask)).type === 'message', 'the right key is refused');
    },
    e404: async () => {
      const error = await thrown(() => send({model: 'nobody'}));
      must(error instanceof Anthropic.NotFoundError && error.error.error.type === 'not_found_error', error);
    },
    e422: async () => {
      const error = await thrown(() => send({temperature: 9}));
      must(error instanceof Anthropic.BadRequestError && error.error.error.type === 'invalid_request_error', error);
    },
    e429: async () => {
      const full = client(await world.full());
      const error = await thrown(() => full.messages.create(ask));
      await world.empty();
      must(error instanceof Anthropic.RateLimitError && error.error.error.type === 'rate_limit_error', error);
    },
    e503: async () => {
      const ending = client(await world.draining());
      const error = await thrown(() => ending.messages.create(ask));
      world.end_draining();
      must(error instanceof Anthropic.InternalServerError && error.status === 529, error);
      return 'Anthropic’s status for an overloaded server: 529';
    },
  }}];
}
