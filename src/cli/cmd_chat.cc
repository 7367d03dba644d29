// jevons chat: a conversation. Thoughts dimmed on stderr, answers on stdout. Ctrl-C ends a thought, then an answer;
// twice leaves. What was said so far stays in the conversation.
#include <cstdio>

#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/strings.h"
#include "cli/line_input.h"
#include "cli/model_flags.h"
#include "cli/output.h"
#include "cli/store.h"
#include "cli/thought_view.h"

namespace jevons {
namespace {

struct Options {
  ModelFlags model;
  SamplingFlags sampling;
  int64_t max_tokens = 0;
  std::string system;
};

constexpr const char* kHelp =
    "/new           forget the conversation\n"
    "/retry         answer the last message again\n"
    "/undo          take back the last message and its answer\n"
    "/system TEXT   set the system message (and begin anew)\n"
    "/think on|off|N   thoughts, or how many tokens one may take\n"
    "/why           where the time of the last answer went\n"
    "/raw           the exact prompt of the next answer\n"
    "/save FILE     write the conversation as JSON\n"
    "/quit          leave (so do Ctrl-D and a second Ctrl-C)\n"
    "Begin with \"\"\" to write several lines; end with \"\"\".\n";

class Chat {
 public:
  Chat(Options options, const Common& common)
      : o_(std::move(options)), common_(common), think_(parse_think(o_.sampling.think)) {
    model_ = open_model(o_.model, common);
    begin();
  }

  int talk() {
    note(
        cat("talking with ", model_->checkpoint().path().filename().string(), "; /help lists commands, Ctrl-D leaves"));
    LineInput input;
    for (;;) {
      auto line = input.read("> ");
      if (interrupted()) {  // Ctrl-C at the prompt: the second one in a row leaves
        if (std::exchange(warned_, true)) return 130;
        clear_interrupt();
        note("Ctrl-C again leaves, and so does Ctrl-D");
        continue;
      }
      if (!line) return 0;
      warned_ = false;
      if (line->rfind("\"\"\"", 0) == 0 && !read_block(input, *line)) return 0;
      if (line->find_first_not_of(" \t") == std::string::npos) continue;
      try {
        if ((*line)[0] == '/') {
          if (!command(*line)) return 0;
          continue;
        }
        messages_.push_back(Json::Object{{"role", "user"}, {"content", *line}});
        if (!answer()) return 130;
      } catch (const Error& e) {
        note(e.message());  // the conversation goes on; a question without an answer is taken back
        drop_open_question();
      }
    }
  }

 private:
  void begin() {
    messages_ = Json::array();
    if (!o_.system.empty()) messages_.push_back(Json::Object{{"role", "system"}, {"content", o_.system}});
  }

  static bool read_block(LineInput& input, std::string& text) {
    text.erase(0, 3);
    while (text.size() < 3 || text.compare(text.size() - 3, 3, "\"\"\"") != 0) {
      const auto more = input.read(". ");
      if (!more) return false;
      text += "\n" + *more;
    }
    text.erase(text.size() - 3);
    return true;
  }

  void drop_open_question() {
    auto& list = messages_.as_array();
    if (!list.empty() && list.back().at("role").as_string() == "user") list.pop_back();
  }
  void drop_answer() {
    auto& list = messages_.as_array();
    if (!list.empty() && list.back().at("role").as_string() == "assistant") list.pop_back();
  }

  // False: leave.
  bool command(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string name = line.substr(0, space), rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (name == "/quit" || name == "/exit") return false;
    if (name == "/help")
      print(kHelp);
    else if (name == "/new")
      begin();
    else if (name == "/undo")
      drop_answer(), drop_open_question();
    else if (name == "/system")
      o_.system = rest, begin();
    else if (name == "/think")
      think_ = parse_think(rest);
    else if (name == "/why")
      print(why_.empty() ? "there is no answer yet\n" : why_);
    else if (name == "/raw")
      print(prompt() + "\n");
    else if (name == "/save")
      save(rest);
    else if (name == "/retry")
      return retry();
    else
      throw Error(Code::usage, cat(quote(name), " is no command; /help lists them"));
    return true;
  }

  void save(const std::string& path) {
    if (path.empty()) throw Error(Code::usage, "/save needs a file name");
    write_file(path, Json(Json::Object{{"messages", messages_}}).dump(2) + "\n").value();
    note(cat("saved to ", path));
  }

  bool retry() {
    drop_answer();
    if (messages_.size() == 0 || messages_.as_array().back().at("role").as_string() != "user")
      throw Error(Code::usage, "there is no message to answer again");
    return answer();
  }

  std::string prompt() const { return model_->prompt(messages_, Json(), think_.on).value(); }

  // False if a second Ctrl-C asked to leave.
  bool answer() {
    GenerateOptions g;
    g.max_tokens = o_.max_tokens;
    g.stop = o_.sampling.stop;
    g.stop_ids = model_->stop_ids();
    g.thought_budget = think_.budget;
    const std::string text = prompt();
    g.starts_in_thought = prompt_opens_thought(text);
    ThoughtView view(!common_.quiet);
    std::string last;
    bool thinking = g.starts_in_thought;
    const auto on_piece = [&](const Piece& piece) {
      thinking = thinking ? piece.text.empty() : !piece.reasoning.empty();
      view.show(piece.reasoning);
      if (!piece.text.empty()) view.end(), print(piece.text), last = piece.text;
    };
    const auto interrupt = [&] {
      if (!interrupted()) return Interrupt::none;
      if (!thinking) return Interrupt::end_all;
      clear_interrupt();
      return Interrupt::end_thought;
    };
    std::optional<Progress> progress;
    const auto on_prefill = [&](int64_t done, int64_t total) {
      if (!progress && done < total)
        progress.emplace("reading the conversation", static_cast<uint64_t>(total), "tokens");
      if (progress) progress->set(static_cast<uint64_t>(done));
      if (done == total) progress.reset();
    };
    const Generated out = generate(model_->engine(), model_->tokenizer(),
                                   model_->tokenizer().encode(text, {.parse_special = true, .add_bos = false}),
                                   sampling_from(o_.sampling, *model_, common_), g, on_piece, interrupt, on_prefill)
                              .value();
    view.end();
    print(last.empty() || last.back() != '\n' ? "\n\n" : "\n");
    Json message = Json::Object{{"role", "assistant"}, {"content", out.text}};
    if (!out.reasoning.empty()) message["reasoning_content"] = out.reasoning;
    messages_.push_back(std::move(message));
    explain(out);
    if (out.finish == Finish::interrupted)
      clear_interrupt(), warned_ = true, note("stopped; what was said so far is kept, Ctrl-C again leaves");
    if (out.finish == Finish::length && o_.max_tokens == 0) note("the context is full; /new begins a new conversation");
    return true;
  }

  void explain(const Generated& g) {
    const double n = static_cast<double>(g.tokens.size()),
                 fresh = static_cast<double>(g.prompt_tokens - g.cached_tokens);
    why_ =
        cat("prompt   ", g.prompt_tokens, " tokens, ", g.cached_tokens, " from the cache, ", fixed(g.prompt_seconds, 2),
            " s (", fixed(g.prompt_seconds > 0 ? fresh / g.prompt_seconds : 0, 0), " tokens/s)\nthought  ",
            g.thought_tokens, " tokens\nanswer   ", static_cast<int64_t>(n) - g.thought_tokens, " tokens\nspeed    ",
            fixed(g.seconds > 0 ? (n - 1) / g.seconds : 0, 1), " tokens/s over ", fixed(g.seconds, 2), " s\nguessed  ",
            g.guessed, " tokens ahead, ", g.guessed_right, " of them right\nended    ", finish_name(g.finish), "\n");
    note(cat(static_cast<int64_t>(n), " tokens, ", fixed(g.seconds > 0 ? (n - 1) / g.seconds : 0, 1),
             " tokens/s, first after ", fixed(g.prompt_seconds, 2), " s",
             g.guessed > 0 ? cat(", ", g.guessed_right, " of ", g.guessed, " guesses right") : ""));
  }

  Options o_;
  const Common& common_;
  Thinking think_;
  std::unique_ptr<Model> model_;
  Json messages_;
  std::string why_;
  bool warned_ = false;  // the next Ctrl-C at the prompt leaves
};

}  // namespace

Command chat_command() {
  auto o = std::make_shared<Options>();
  std::vector<Option> options = {
      {"MODEL", &o->model.model, "a name, folder or file; the default model if not given"},
      {"--system", &o->system, "system message"},
      {"-n,--max-tokens", &o->max_tokens, "tokens of an answer at most; 0: to the end of the context", {.min = 0}}};
  for (Option& option : sampling_options(o->sampling)) options.push_back(std::move(option));
  for (Option& option : model_options(o->model)) options.push_back(std::move(option));
  return {.name = "chat",
          .summary = "a conversation in the terminal",
          .details = std::string("In the conversation:\n") + kHelp,
          .options = std::move(options),
          .examples = {"jevons chat", "jevons chat ./DeepSeek-R1-Distill-Qwen-1.5B --think 1000"},
          .run = [o](const Common& common) { return Chat(*o, common).talk(); }};
}

}  // namespace jevons
