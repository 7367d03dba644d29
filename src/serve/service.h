// Service: the models of a server, and the one thread that runs them. Everything that touches a model happens on that
// thread, between two engine steps; other threads hand it work with post().
//
// A job joins the running ones at the next step (continuous batching). Prompts are read in pieces of about 0.1 s, so
// that running streams go on meanwhile and a cancelled job gives its place back at once. Who waits is served in turn by
// user. Models are loaded when first asked for, on a thread of their own, and the least recently used idle ones make
// room.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/generation.h"
#include "engine/model.h"
#include "serve/grammars.h"

namespace jevons {

struct ServedModel {
  std::string name;
  std::filesystem::path path;
};

struct ServiceOptions {
  std::vector<ServedModel> models;  // the first is the default
  ModelOptions model;               // threads, context, cache type
  int64_t memory_limit = 0;         // bytes for all models together; 0: what is available
  int64_t slots = 16;               // sequences of a model that run at once
  int64_t queue = 64;               // jobs that wait for a slot; more are refused
  double keep_alive = 0;            // seconds after which an idle model is unloaded; 0: never
  // Where prefixes of prompts are kept for the next start (engine/prefix_files.h), and how many bytes of them at most.
  // Empty: they stay in memory.
  std::filesystem::path prefix_folder{};
  int64_t prefix_bytes = 1'000'000'000;
  std::string prefix_realm{};  // a user of another realm (another key of the server) is another user
};

enum class ModelStatus { available, loading, loaded };
const char* status_name(ModelStatus status);

// What is known of a model without loading it.
struct ModelFacts {
  std::string name;
  ModelStatus status = ModelStatus::available;
  std::string architecture, error;  // `error`: why it cannot be used
  int64_t context = 0, memory = 0;  // tokens; predicted bytes
  int64_t read_per_token = 0;       // bytes of weights
  bool thinks = false;              // its template knows thoughts
  double created = 0;               // time of the file, seconds since 1970
};

// One sequence, from the queue to its last token. The callbacks run on the service's thread.
struct Job {
  std::string user;  // whose turn it is in the queue, and who may share its prefixes
  std::vector<int32_t> prompt;
  Sampling sampling;
  GenerateOptions options;
  std::function<void()> on_prompt_read{};
  std::function<void(int64_t first, const Tensor& rows)> on_hidden{};  // instead of an answer: see Request::on_hidden
  Generation::OnPiece on_piece{};
  std::function<void(const Generated&, double queue_seconds)> on_end;
  std::function<void(const Error&)> on_error;
  double deadline = 0;  // now_seconds() at which it is ended; 0: none
};

// A handle of a submitted job, for any thread. A job whose ticket nobody keeps goes on.
class Ticket {
 public:
  void cancel() { wish_ = Interrupt::end_all; }
  void answer_now() {
    Interrupt none = Interrupt::none;
    wish_.compare_exchange_strong(none, Interrupt::end_thought);
  }

 private:
  friend class Service;
  std::atomic<Interrupt> wish_ = Interrupt::none;
};

class Service {
 public:
  explicit Service(ServiceOptions options);
  ~Service();  // cancels what runs

  // --- any thread ---
  void post(std::function<void()> work);
  // No new jobs; those that run may end. True when none is left (or the time is over: they are cancelled).
  bool drain(double seconds);
  bool draining() const { return draining_; }
  // A place for one more request among those that wait, held until it is let go (its job is submitted, or it failed);
  // null if the queue is full.
  std::shared_ptr<void> take_place();
  std::vector<ModelFacts> models() const;
  // The name of the model that `name` means ("" is the default model), or an error that lists the names.
  Result<std::string> resolve(std::string_view name) const;
  const ServiceOptions& options() const { return options_; }
  Grammars& grammars() { return grammars_; }

  struct Counts {  // since the start, but for the first two
    std::atomic<int64_t> running{0}, waiting{0};
    std::atomic<int64_t> jobs{0}, cancelled{0}, refused{0}, prompt_tokens{0}, cached_tokens{0}, generated_tokens{0};
    // Prompt tokens that were read, by where they came from; each once, whatever became of its sequence.
    std::atomic<int64_t> prompt_memory{0}, prompt_disk{0}, prompt_computed{0};
    std::atomic<int64_t> steps{0}, step_microseconds{0}, loads{0}, unloads{0};
  };
  const Counts& counts() const { return counts_; }
  const PrefixFiles* prefix_files() const { return prefix_files_.get(); }  // null: none are kept

  // --- the service's thread ---
  // Gives the model when it is loaded; loads it first if it must. An error if it cannot be.
  void with_model(const std::string& name, std::function<void(Result<Model*>)> then);
  std::shared_ptr<Ticket> submit(const std::string& model, Job job);
  void unload(const std::string& name);
  // Forgets the prefixes that are not in use, in memory and on disk.
  void forget_prefixes();

 private:
  struct Running;
  struct Slot;
  void loop();
  bool work();
  bool run_posted();
  bool step(Slot& slot);
  void drop_waiting(Slot& slot, const std::function<bool(const Running&)>& unwanted);
  void admit(Slot& slot);
  void advance(Slot& slot);
  void finish(Slot& slot, Running& running);
  void load_next();
  void loaded(Slot& slot, Result<std::unique_ptr<Model>> model);
  Status make_room(const Slot& wanted);
  Slot* find(std::string_view name) const;

  static void save_all(Slot& slot);

  ServiceOptions options_;
  std::unique_ptr<PrefixFiles> prefix_files_;
  std::vector<std::unique_ptr<Slot>> slots_;  // fixed after construction
  Counts counts_;
  std::atomic<int64_t> waiting_{0};  // jobs in the queues, and requests that hold a place
  std::atomic<bool> draining_{false}, stopping_{false};
  mutable std::mutex mutex_;  // guards posted_, loads_ and the facts of the slots
  std::condition_variable wake_;
  std::deque<std::function<void()>> posted_;
  std::thread loader_;
  bool loading_ = false;
  std::thread thread_;
  Grammars grammars_;  // the last: what it makes is posted here
};

}  // namespace jevons
