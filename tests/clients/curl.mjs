// curl: the plain bytes of /v1 and of DeepSeek's own paths.
import {execFile, execFileSync} from 'node:child_process';
import world_js from './world.js';
const {must} = world_js;

const ask = {messages: [{role: 'user', content: 'hello'}], max_tokens: 40, seed: 7};
const off = {thinking: {type: 'disabled'}};

export function rows(world) {
  const run = (...args) => new Promise((done, failed) =>
    execFile('curl', ['-sS', ...args], {maxBuffer: 1 << 26}, (error, out) => error ? failed(error) : done(out)));
  const post = async (path, body, url = world.url) => {
    const out = await run('-i', url + path, '-d', JSON.stringify(body));
    const end = out.indexOf('\r\n\r\n');
    return {status: Number(out.split(' ')[1]), head: out.slice(0, end).toLowerCase(), body: out.slice(end + 4)};
  };
  const status = async (wanted, param, body, path = '/v1/chat/completions', url = world.url) => {
    const r = await post(path, body, url);
    must(r.status === wanted, JSON.stringify(r));
    const {error} = JSON.parse(r.body);
    must(error.message && error.type && (param === undefined || error.param === param), r.body);
    return r;
  };
  const chat = async (more, path = '/v1/chat/completions') => JSON.parse((await post(path, {...ask, ...more})).body);
  const events = text => text.split('\n\n').filter(e => e.startsWith('data: {')).map(e => JSON.parse(e.slice(6)));
  return [{client: 'curl', version: execFileSync('curl', ['--version']).toString().split(' ')[1], cells: {
    plain: async () => must((await chat(off)).choices[0].message.content.length > 0, 'no answer'),
    stream: async () => {
      const r = await post('/chat/completions', {...ask, thinking: {type: 'enabled', budget_tokens: 10}, stream: true});
      must(r.head.includes('text/event-stream') && r.body.endsWith('data: [DONE]\n\n'), r.body.slice(-200));
      const all = events(r.body), last = all.at(-1);
      must(all[0].choices[0].delta.reasoning_content === '' && all[0].choices[0].delta.content === null, r.body.slice(0, 400));
      must(last.choices[0].finish_reason && last.usage.completion_tokens > 0, JSON.stringify(last));
      must(all.slice(0, -1).every(e => e.usage === null), 'usage stands before the last event');
    },
    think: async () => must((await chat({}, '/chat/completions')).choices[0].message.reasoning_content.length > 0, 'no thought'),
    no_think: async () => must(!('reasoning_content' in (await chat(off)).choices[0].message), 'a thought'),
    logprobs: async () => must((await chat({...off, logprobs: true})).choices[0].logprobs.content.length > 0, 'no logprobs'),
    n: async () => must((await chat({...off, n: 2})).choices.length === 2, 'not two'),
    cancel: () => world.cancelled(() => new Promise(done => {
      const child = execFile('curl', ['-sSN', world.url + '/v1/chat/completions', '-d',
        JSON.stringify({...ask, ...off, messages: world.endless, temperature: 0, stream: true, max_tokens: 30000})], () => done());
      child.stdout.once('data', () => child.kill());
    })),
    usage: async () => {
      const {usage} = await chat(off);
      must(usage.prompt_cache_hit_tokens + usage.prompt_cache_miss_tokens === usage.prompt_tokens, JSON.stringify(usage));
    },
    keep_alive: async () => {
      const {url, connections} = await world.counted();
      await run(url + '/v1/models', url + '/v1/models', url + '/health');
      must(connections() === 1, `${connections()} connections`);
    },
    prefix: async () => {
      const messages = [...ask.messages, {role: 'assistant', content: 'Well, ', prefix: true}];
      must((await chat({...off, messages}, '/beta/chat/completions')).choices[0].message.content !== undefined, 'no answer');
    },
    fim: async () => {
      const r = await status(400, 'suffix', {prompt: 'a', suffix: 'b'}, '/beta/completions');
      return `refused: ${JSON.parse(r.body).error.message}`;
    },
    models: async () => must(JSON.parse(await run(world.url + '/v1/models')).data[0].id === 'tiny', 'no model'),
    e401: async () => {
      const url = await world.keyed();
      await status(401, undefined, ask, '/v1/chat/completions', url);
      const right = await run(url + '/v1/models', '-H', 'Authorization: Bearer the-key-of-the-matrix');
      must(JSON.parse(right).data[0].id === 'tiny', right);
    },
    e404: async () => {
      await status(404, 'model', {...ask, model: 'nobody'});
      await status(404, null, ask, '/v1/nothing');
    },
    e422: async () => {
      await status(422, 'temperature', {...ask, temperature: 9}, '/chat/completions');
      await status(400, 'temperature', {...ask, temperature: 9});
      await status(400, 'messages', {});
    },
    e429: async () => {
      const r = await status(429, undefined, ask, '/v1/chat/completions', await world.full());
      await world.empty();
      must(/retry-after: \d/.test(r.head), r.head);
    },
    e503: async () => {
      const r = await status(503, undefined, ask, '/v1/chat/completions', await world.draining());
      world.end_draining();
      must(/retry-after: \d/.test(r.head), r.head);
    },
  }}];
}
