#include "serve/service.h"

#include <algorithm>

#include "base/clock.h"
#include "base/progress.h"
#include "base/strings.h"

namespace jevons {
namespace {

constexpr double kStepSeconds = 0.1;  // of prompt reading in one step
constexpr int64_t kFirstStep = 64;    // prompt tokens of a step until the speed is known
constexpr int64_t kLeastStep = 16;
constexpr int64_t kSavedPages = 8;  // handed to the prefix files between two looks at new requests
constexpr std::chrono::milliseconds kSavePause(5);

double file_time(const std::filesystem::path& path) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(path, error);
  if (error) return 0;
  const auto system = std::chrono::file_clock::to_sys(time);
  return std::chrono::duration<double>(system.time_since_epoch()).count();
}

}  // namespace

const char* status_name(ModelStatus status) {
  return status == ModelStatus::loaded ? "loaded" : status == ModelStatus::loading ? "loading" : "available";
}

struct Service::Running {
  Job job;
  std::shared_ptr<Ticket> ticket;
  std::unique_ptr<Generation> generation;
  int64_t sequence = 0;
  double submitted = now_seconds(), started = 0;
};

struct Service::Slot {
  ServedModel served;
  ModelFacts facts;
  std::unique_ptr<Model> model;
  std::vector<std::function<void(Result<Model*>)>> wanting;           // who waits for it to be loaded
  std::map<std::string, std::deque<std::unique_ptr<Running>>> queue;  // by user
  std::string last_user;                                              // whose job was admitted last
  std::vector<std::unique_ptr<Running>> running;
  double last_use = 0;
  double prompt_rate = 0;  // tokens/s of prompt reading, measured

  bool idle() const { return running.empty() && queue.empty() && wanting.empty(); }
};

namespace {

ModelFacts read_facts(const ServedModel& served, const ModelOptions& options) {
  ModelFacts facts;
  facts.name = served.name;
  facts.created = file_time(served.path);
  const auto fail = [&](const Error& error) { return facts.error = error.message(), facts; };
  auto checkpoint = Checkpoint::open(served.path);
  if (!checkpoint.ok()) return fail(checkpoint.error());
  auto config = read_config(*checkpoint);
  if (!config.ok()) return fail(config.error());
  facts.architecture = config->model_type;
  facts.context =
      options.context ? std::min(options.context, config->max_position_embeddings) : config->max_position_embeddings;
  auto plan = plan_memory(*checkpoint, *config, options, facts.context);
  if (!plan.ok()) return fail(plan.error());
  facts.memory = plan->total();
  facts.read_per_token = plan->weights.read_per_token;
  if (auto source = checkpoint->chat_template(); source.ok() && *source)
    facts.thinks = (*source)->find("think>") != std::string::npos;
  return facts;
}

}  // namespace

Service::Service(ServiceOptions options) : options_(std::move(options)) {
  if (!options_.prefix_folder.empty())
    prefix_files_ = std::make_unique<PrefixFiles>(options_.prefix_folder, options_.prefix_bytes);
  options_.model.prefix_files = prefix_files_.get();
  for (const ServedModel& served : options_.models) {
    auto slot = std::make_unique<Slot>();
    slot->served = served;
    slot->facts = read_facts(served, options_.model);
    slots_.push_back(std::move(slot));
  }
  thread_ = std::thread([this] { loop(); });
}

Service::~Service() {
  drain(0);
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  if (loader_.joinable()) loader_.join();
}

void Service::post(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
  }
  wake_.notify_all();
}

std::shared_ptr<void> Service::take_place() {
  if (++waiting_ > options_.queue) {
    --waiting_;
    return nullptr;
  }
  return {this, [this](void*) { --waiting_; }};
}

bool Service::drain(double seconds) {
  draining_ = true;
  const double until = now_seconds() + seconds;
  const auto busy = [&] { return counts_.running + counts_.waiting > 0; };
  while (busy() && now_seconds() < until) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  if (!busy()) return true;
  post([this] {
    for (auto& slot : slots_) {
      for (auto& r : slot->running) r->ticket->cancel();
      for (auto& [user, jobs] : slot->queue)
        for (auto& r : jobs) r->ticket->cancel();
    }
  });
  return false;
}

std::vector<ModelFacts> Service::models() const {
  std::lock_guard lock(mutex_);
  std::vector<ModelFacts> out;
  for (const auto& slot : slots_) out.push_back(slot->facts);
  return out;
}

Service::Slot* Service::find(std::string_view name) const {
  for (const auto& slot : slots_)
    if (slot->served.name == name) return slot.get();
  return nullptr;
}

Result<std::string> Service::resolve(std::string_view name) const {
  if (name.empty() && !slots_.empty()) return slots_.front()->served.name;
  if (find(name)) return std::string(name);
  std::vector<std::string> names;
  for (const auto& slot : slots_) names.push_back(slot->served.name);
  std::string list;
  for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
  const std::string near = nearest(name, names);
  return Error(Code::not_found,
               cat("there is no model ", quote(name), " here; ",
                   near.empty() ? std::string() : cat("did you mean ", near, "? "), "served are: ", list));
}

// --- the service's thread
// ---------------------------------------------------------------------------------------------

void Service::loop() {
  while (!stopping_) {
    if (work()) continue;
    std::unique_lock lock(mutex_);
    const bool saving = std::any_of(slots_.begin(), slots_.end(),
                                    [](const auto& slot) { return slot->model && slot->model->engine().saving(); });
    wake_.wait_for(lock, saving ? kSavePause : std::chrono::milliseconds(1000),
                   [&] { return stopping_ || !posted_.empty(); });
    if (options_.keep_alive <= 0) continue;
    lock.unlock();
    for (auto& slot : slots_)
      if (slot->model && slot->idle() && now_seconds() - slot->last_use > options_.keep_alive)
        unload(slot->served.name);
  }
  work();
  for (auto& slot : slots_)
    if (slot->model) save_all(*slot);
}

// All that is to be kept, now.
void Service::save_all(Slot& slot) {
  while (slot.model->engine().save(kSavedPages)) std::this_thread::sleep_for(kSavePause);
}

void Service::forget_prefixes() {
  for (auto& slot : slots_)
    if (slot->model) slot->model->engine().forget_prefixes();
  if (prefix_files_) prefix_files_->clear();
}

bool Service::work() {
  bool worked = run_posted();
  for (auto& slot : slots_) worked |= step(*slot);
  return worked;
}

bool Service::run_posted() {
  std::deque<std::function<void()>> work;
  {
    std::lock_guard lock(mutex_);
    work.swap(posted_);
  }
  for (auto& w : work) w();
  return !work.empty();
}

void Service::with_model(const std::string& name, std::function<void(Result<Model*>)> then) {
  Slot* slot = find(name);
  if (!slot) return then(resolve(name).error());
  slot->last_use = now_seconds();
  if (slot->model) return then(slot->model.get());
  slot->wanting.push_back(std::move(then));
  load_next();
}

void Service::load_next() {
  if (loading_) return;
  for (auto& slot : slots_) {
    if (slot->model || slot->wanting.empty()) continue;
    if (Status room = make_room(*slot); !room.ok()) return loaded(*slot, room.error());
    loading_ = true;
    {
      std::lock_guard lock(mutex_);
      slot->facts.status = ModelStatus::loading;
    }
    if (loader_.joinable()) loader_.join();
    loader_ = std::thread([this, s = slot.get()] {
      auto result = std::make_shared<Result<std::unique_ptr<Model>>>([&]() -> Result<std::unique_ptr<Model>> {
        try {
          return Model::load(s->served.path, options_.model);
        } catch (const Error& error) {
          return error;
        }
      }());
      post([this, s, result] {
        loading_ = false;
        loaded(*s, std::move(*result));
      });
    });
    return;
  }
}

Status Service::make_room(const Slot& wanted) {
  const int64_t limit = options_.memory_limit;
  if (limit > 0 && wanted.facts.memory > limit)
    return Error(Code::too_large,
                 cat("the model ", wanted.served.name, " needs ", human_bytes(static_cast<double>(wanted.facts.memory)),
                     " of memory, but the limit is ", human_bytes(static_cast<double>(limit))));
  for (;;) {
    int64_t used = 0;
    Slot* oldest = nullptr;
    for (auto& slot : slots_) {
      if (!slot->model) continue;
      used += slot->facts.memory;
      if (slot->idle() && (!oldest || slot->last_use < oldest->last_use)) oldest = slot.get();
    }
    const bool fits = limit > 0 ? used + wanted.facts.memory <= limit : wanted.facts.memory <= available_memory();
    if (fits) return {};
    if (!oldest) {
      if (limit == 0) return {};  // Model::load refuses with the numbers if it does not fit
      return Error(
          Code::too_large,
          cat("the model ", wanted.served.name, " needs ", human_bytes(static_cast<double>(wanted.facts.memory)),
              " of memory, of the ", human_bytes(static_cast<double>(limit)), " allowed ",
              human_bytes(static_cast<double>(used)), " are in use; try again when they are idle"));
    }
    unload(oldest->served.name);
  }
}

void Service::loaded(Slot& slot, Result<std::unique_ptr<Model>> model) {
  std::string error = model.ok() ? "" : model.error().message();
  if (model.ok()) slot.model = std::move(model).value(), ++counts_.loads;
  {
    std::lock_guard lock(mutex_);
    slot.facts.status = slot.model ? ModelStatus::loaded : ModelStatus::available;
    slot.facts.error = error;
    if (slot.model) slot.facts.context = slot.model->engine().options().context;
  }
  slot.last_use = now_seconds();
  for (auto& then : std::exchange(slot.wanting, {})) {
    if (slot.model)
      then(slot.model.get());
    else
      then(model.error());
  }
  load_next();
}

void Service::unload(const std::string& name) {
  Slot* slot = find(name);
  if (!slot || !slot->model || !slot->idle()) return;
  save_all(*slot);
  slot->model.reset();
  ++counts_.unloads;
  std::lock_guard lock(mutex_);
  slot->facts.status = ModelStatus::available;
}

std::shared_ptr<Ticket> Service::submit(const std::string& model, Job job) {
  Slot* slot = find(model);
  JEVONS_CHECK(slot && slot->model, "a job for a model that is not loaded");
  auto running = std::make_unique<Running>();
  running->ticket = std::make_shared<Ticket>();
  std::shared_ptr<Ticket> ticket = running->ticket;
  const std::string user = job.user;
  running->job = std::move(job);
  ++counts_.jobs, ++counts_.waiting, ++waiting_;
  slot->queue[user].push_back(std::move(running));
  return ticket;
}

// Lets waiting jobs in while there are slots: one of each user in turn.
void Service::admit(Slot& slot) {
  while (!slot.queue.empty() && static_cast<int64_t>(slot.running.size()) < options_.slots) {
    auto next = slot.queue.upper_bound(slot.last_user);
    if (next == slot.queue.end()) next = slot.queue.begin();
    slot.last_user = next->first;
    std::unique_ptr<Running> r = std::move(next->second.front());
    next->second.pop_front();
    if (next->second.empty()) slot.queue.erase(next);
    --counts_.waiting, --waiting_;
    Job& job = r->job;
    Engine& engine = slot.model->engine();
    const int64_t room = engine.options().context - static_cast<int64_t>(job.prompt.size());
    r->started = now_seconds();
    r->generation = std::make_unique<Generation>(
        slot.model->tokenizer(), job.options, room, job.on_piece,
        [ticket = r->ticket.get()] { return ticket->wish_.load(std::memory_order_relaxed); });
    Request request = r->generation->request(std::move(job.prompt), job.sampling);
    if (job.on_hidden) request.on_token = {}, request.on_hidden = job.on_hidden;
    if (job.on_prompt_read)
      request.on_prefill = [read = job.on_prompt_read, told = false](int64_t done, int64_t total) mutable {
        if (done == total && !std::exchange(told, true)) read();
      };
    request.scope = cat(options_.prefix_realm, "\n", job.user);
    Result<int64_t> id = engine.submit(std::move(request));
    if (!id.ok()) {
      job.on_error(id.error());
      continue;
    }
    r->sequence = *id;
    slot.running.push_back(std::move(r));
    ++counts_.running;
  }
}

void Service::finish(Slot& slot, Running& r) {
  const Generated& out = r.generation->finish();
  counts_.prompt_tokens += out.prompt_tokens;
  counts_.cached_tokens += out.cached_tokens;
  counts_.generated_tokens += static_cast<int64_t>(out.tokens.size());
  counts_.cancelled += out.finish == Finish::interrupted;
  --counts_.running;
  slot.last_use = now_seconds();
  r.job.on_end(out, r.started - r.submitted);
}

void Service::drop_waiting(Slot& slot, const std::function<bool(const Running&)>& unwanted) {
  std::vector<std::unique_ptr<Running>> dropped;
  for (auto& [user, jobs] : slot.queue)
    for (auto& r : jobs)
      if (unwanted(*r)) dropped.push_back(std::move(r));
  for (auto& [user, jobs] : slot.queue) std::erase(jobs, nullptr);
  std::erase_if(slot.queue, [](const auto& entry) { return entry.second.empty(); });
  for (auto& r : dropped) {
    --counts_.waiting, --waiting_, ++counts_.cancelled;
    if (r->ticket->wish_ != Interrupt::end_all) {
      r->job.on_error(Error(Code::interrupted, "the request's time was over while it waited for its turn"));
      continue;
    }
    Generated nothing;
    nothing.finish = Finish::interrupted;
    nothing.prompt_tokens = static_cast<int64_t>(r->job.prompt.size());
    r->job.on_end(nothing, now_seconds() - r->submitted);
  }
}

// One engine step. An error of the computation ends every job of the model, and nothing else.
void Service::advance(Slot& slot) {
  Engine& engine = slot.model->engine();
  const double start = now_seconds();
  const Engine::PromptTokens before = engine.prompt_tokens();
  const int64_t size = slot.prompt_rate > 0 ? static_cast<int64_t>(slot.prompt_rate * kStepSeconds) : kFirstStep;
  try {
    engine.step(std::max(size, kLeastStep));
  } catch (const Error& error) {
    for (auto& r : std::exchange(slot.running, {})) {
      engine.cancel(r->sequence);
      --counts_.running;
      r->job.on_error(error);
    }
    return;
  }
  const double seconds = now_seconds() - start;
  const Engine::PromptTokens after = engine.prompt_tokens();
  counts_.prompt_memory += after.cached.memory - before.cached.memory;
  counts_.prompt_disk += after.cached.disk - before.cached.disk;
  counts_.prompt_computed += after.computed - before.computed;
  ++counts_.steps, counts_.step_microseconds += static_cast<int64_t>(seconds * 1e6);
  const auto done = engine.last_step();
  if (done.prompt_tokens < kLeastStep) return;
  const double rate = static_cast<double>(done.prompt_tokens) / seconds;
  slot.prompt_rate = slot.prompt_rate > 0 ? 0.7 * slot.prompt_rate + 0.3 * rate : rate;
}

bool Service::step(Slot& slot) {
  if (!slot.model) return false;
  Engine& engine = slot.model->engine();
  const auto unwanted = [now = now_seconds()](const Running& r) {
    return r.ticket->wish_ == Interrupt::end_all || (r.job.deadline > 0 && now > r.job.deadline);
  };
  for (auto& r : slot.running)
    if (unwanted(*r) && engine.runs(r->sequence)) {
      engine.cancel(r->sequence);
      r->generation->interrupt();
    }
  drop_waiting(slot, unwanted);
  admit(slot);
  if (engine.sequences() > 0)
    advance(slot);
  else
    engine.save(kSavedPages);
  bool ended = false;
  std::vector<std::unique_ptr<Running>> over;
  for (auto& r : slot.running)
    if (!engine.runs(r->sequence)) over.push_back(std::move(r)), ended = true;
  std::erase(slot.running, nullptr);
  for (auto& r : over) finish(slot, *r);
  return ended || engine.sequences() > 0 || !slot.queue.empty();
}

}  // namespace jevons
