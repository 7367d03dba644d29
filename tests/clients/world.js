// What the suites talk to: servers with a tiny random model, and a small control server so that the Python suite can
// ask for the same things.
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const {spawn} = require('node:child_process');

const template = '{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}[assistant]' +
    '{% if enable_thinking is not defined or enable_thinking %}<think>\n{% endif %}';

// The golden llama with room for long answers, and a template that knows thoughts.
function make_model(source, folder) {
  fs.mkdirSync(folder, {recursive: true});
  const bytes = fs.readFileSync(path.join(source, 'tests/golden/gguf/llama_f16.gguf'));
  const key = 'llama.context_length', at = bytes.indexOf(key) + key.length;  // then its type, 4: u32
  if (bytes.readUInt32LE(at) !== 4) throw new Error('the golden model has no u32 ' + key);
  bytes.writeUInt32LE(32768, at + 4);
  fs.writeFileSync(path.join(folder, 'model.gguf'), bytes);
  fs.writeFileSync(path.join(folder, 'chat_template.jinja'), template);
}

class World {
  static async create(jevons, source) {
    const w = new World();
    w.jevons = jevons;
    w.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'jevons-clients-'));
    w.children = [];
    w.listeners = [];
    make_model(source, path.join(w.folder, 'tiny'));
    w.url = await w.serve();
    await w.find_endless();
    w.control = await w.listen(http.createServer((request, reply) => {
      const [what, argument] = request.url.slice(1).split('/');
      Promise.resolve(w[what](argument)).then(value => reply.end(JSON.stringify(value ?? null)),
                                              error => { reply.statusCode = 500; reply.end(String(error)); });
    }));
    return w;
  }

  // Starts a server; the address when it takes requests.
  async serve(...flags) {
    const child = spawn(this.jevons, ['serve', path.join(this.folder, 'tiny'), '--port', '0', '--json', '--threads', '1',
                                      '--allow-host', '127.0.0.1',  // any port: the relay has its own
                                      ...flags], {env: {...process.env, JEVONS_HOME: path.join(this.folder, 'home')}});
    this.children.push(child);
    let errors = '';
    child.stderr.on('data', text => { errors += text; });
    const url = await new Promise((done, failed) => {
      let out = '';
      child.stdout.on('data', text => {
        out += text;
        if (out.includes('\n')) done(JSON.parse(out).url);
      });
      child.on('exit', code => failed(new Error(`jevons serve ended with ${code}: ${errors}`)));
    });
    child.url = url;
    while ((await fetch(url + '/health', {headers: {authorization: 'Bearer the-key-of-the-matrix'}})).status !== 200) await new Promise(r => setTimeout(r, 20));
    return url;
  }

  // A question whose likeliest answer goes round in circles for ever, so that there is something to cancel.
  async find_endless() {
    for (let i = 0; i < 100; ++i) {
      const text = `question ${i}`;
      const reply = await fetch(this.url + '/v1/chat/completions', {method: 'POST', body: JSON.stringify(
        {messages: [{role: 'user', content: text}], temperature: 0, max_tokens: 2000, thinking: {type: 'disabled'}})});
      if ((await reply.json()).choices[0].finish_reason !== 'length') continue;
      this.endless = [{role: 'user', content: text}];
      return;
    }
    throw new Error('every answer of the tiny model ends');
  }
  endless_messages() { return this.endless; }

  async listen(server) {
    await new Promise(done => server.listen(0, '127.0.0.1', done));
    this.listeners.push(server);
    return `http://127.0.0.1:${server.address().port}`;
  }

  // A stream of 30000 tokens that runs on `url`; resolves when it has begun.
  async long(url) {
    const stop = new AbortController();
    const reply = await fetch(url + '/v1/chat/completions', {
      method: 'POST', signal: stop.signal,
      body: JSON.stringify({messages: [{role: 'user', content: 'long'}], max_tokens: 30000, ignore_eos: true,
                            thinking: {type: 'disabled'}, stream: true})});
    const reader = reply.body.getReader();
    await reader.read();
    (async () => { try { while (!(await reader.read()).done); } catch { /* the server is gone */ } })();
    return () => stop.abort();
  }

  // A server with one slot and one place in the queue, both taken: the next request is refused with 429.
  async full() {
    if (!this.full_url) this.full_url = await this.serve('--slots', '1', '--queue', '1');
    const stops = [await this.long(this.full_url)];
    const waiting = new AbortController();
    fetch(this.full_url + '/v1/completions', {
      method: 'POST', signal: waiting.signal, body: JSON.stringify({prompt: 'a', max_tokens: 30000, ignore_eos: true})}).catch(() => {});
    stops.push(() => waiting.abort());
    await this.until(async () => await this.metric('jevons_requests_waiting', this.full_url) === 1);
    this.empty = async () => {
      stops.forEach(stop => stop());
      await this.until(async () => await this.metric('jevons_requests_running', this.full_url) === 0 &&
                                   await this.metric('jevons_requests_waiting', this.full_url) === 0);
    };
    return this.full_url;
  }
  async not_full() { await this.empty(); }

  // A server that wants a key, and not 'local'.
  async keyed() {
    if (!this.keyed_url) this.keyed_url = await this.serve('--api-key', 'the-key-of-the-matrix');
    return this.keyed_url;
  }

  // A server that was told to end while an answer still runs: it refuses with 503.
  async draining() {
    const url = await this.serve();
    await this.long(url);
    this.children.find(c => c.url === url).kill('SIGTERM');
    await this.until(async () => (await fetch(url + '/v1/completions', {method: 'POST', body: '{"prompt":"a"}'})).status === 503);
    return url;
  }
  end_draining() { this.children.at(-1).kill('SIGKILL'); }

  // The address of a relay that counts its connections: connections(port).
  async counted() {
    const target = new URL(this.url);
    const server = net.createServer(socket => {
      ++server.seen;
      const other = net.connect(target.port, target.hostname);
      socket.pipe(other).pipe(socket);
      socket.on('error', () => other.destroy());
      other.on('error', () => socket.destroy());
    });
    server.seen = 0;
    const url = await this.listen(server);
    return {url, connections: () => server.seen};
  }
  // Six requests in turn by one client must share connections. Node's fetch opens a second one by itself.
  async reuses(make, ask) {
    const {url, connections} = await this.counted();
    const one = make(url);
    for (let i = 0; i < 6; ++i) await ask(one);
    must(connections() <= 2, `${connections()} connections for six requests`);
  }
  async relay() {
    const {url, connections} = await this.counted();
    (this.relays ||= {})[new URL(url).port] = connections;
    return url;
  }
  connections(port) { return this.relays[port](); }

  async metric(name, url = this.url) {
    const line = (await (await fetch(url + '/metrics')).text()).split('\n').find(l => l.startsWith(name + ' '));
    if (!line) throw new Error(`/metrics has no ${name}`);
    return Number(line.split(' ')[1]);
  }

  // Runs `begin`, which starts an answer of 30000 tokens and leaves it; the server must notice and free the slot.
  async cancelled(begin) {
    const before = await this.metric('jevons_sequences_cancelled_total');
    await begin();
    const now = async () => [await this.metric('jevons_sequences_cancelled_total') - before,
                             await this.metric('jevons_requests_running')];
    const seen = [];
    await this.until(async () => {
      const [cancelled, running] = await now();
      seen.push(`${cancelled} cancelled, ${running} running`);
      return cancelled > 0 && running === 0;
    }).catch(error => { throw new Error(`${seen[0]}; later ${seen.at(-1)}; ${error.message}`); });
  }

  async until(condition) {
    for (const end = Date.now() + 20e3; Date.now() < end;) {
      if (await condition()) return;
      await new Promise(r => setTimeout(r, 10));
    }
    throw new Error(`did not come true in 20 s: ${condition}`);
  }

  async close() {
    for (const child of this.children) child.removeAllListeners('exit'), child.kill('SIGKILL');
    for (const server of this.listeners) server.close();
    fs.rmSync(this.folder, {recursive: true, force: true});
  }
}

function must(condition, what) {
  if (!condition) throw new Error(what);
}

// `call` must throw; gives what it threw.
async function thrown(call) {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error('no error came');
}

const version = name => JSON.parse(fs.readFileSync(path.join(__dirname, 'node_modules', name, 'package.json'))).version;

// A stop text out of an answer: a plain character that stands behind the first few.
function stop_in(text) {
  const at = [...text].findIndex((c, i) => i > 2 && /[!-~]/.test(c));
  must(at > 0, `no plain character in ${JSON.stringify(text)}`);
  const stop = [...text][at];
  return {stop, before: text.slice(0, text.indexOf(stop))};
}

module.exports = {World, must, thrown, version, stop_in};
