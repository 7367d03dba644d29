// Documents, the encoded corpus, the order of rows, the log, the energy counters.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/file.h"
#include "base/strings.h"
#include "text/tokenizer_file.h"
#include "train/corpus.h"
#include "train/energy.h"
#include "train/row_plan.h"
#include "train/run_log.h"
#include "train/run_page.h"
#include "train/token_data.h"

namespace jevons {
namespace {

namespace fs = std::filesystem;

class DataTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / "jevons_data_test";
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    write_file(folder_ / name, text).value();
    return (folder_ / name).string();
  }
  std::vector<std::string> documents(const std::string& file, const DocumentRules& rules = {}) {
    std::vector<std::string> out;
    failure_.clear();
    const Status status = for_each_document(file, rules, [&](std::string&& text) -> Status {
      out.push_back(std::move(text));
      return {};
    });
    if (!status.ok()) failure_ = status.error().message();
    return out;
  }
  fs::path folder_;
  std::string failure_;
};

TEST_F(DataTest, DocumentsOfTextsAndObjects) {
  const std::string text = "one\n\nstill one\n<|endoftext|>\n<|endoftext|>\ntwo\r\n<|endoftext|>\r\nthree";
  EXPECT_EQ(documents(write("a.txt", text)), (std::vector<std::string>{"one\n\nstill one", "two\r", "three"}));
  EXPECT_EQ(documents(write("a.txt", "x\n---\ny\n"), {.end = "---"}), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(documents(write("a.jsonl", "{\"text\":\"a\\nb\"}\n\n{\"id\":1,\"text\":\"c\"}")),
            (std::vector<std::string>{"a\nb", "c"}));
  EXPECT_EQ(documents(write("a.txt", "")), std::vector<std::string>{});
  const std::string longer = std::string(600000, 'x') + "\n";  // over the size of a read
  EXPECT_EQ(documents(write("a.txt", longer + longer)), (std::vector<std::string>{longer + std::string(600000, 'x')}));
}

TEST_F(DataTest, BrokenDataAreRefusedByName) {
  const std::tuple<const char*, std::string, const char*> cases[] = {
      {"a.txt", "fine\nbro\xffken\n", "a.txt line 2: is not UTF-8 text"},
      {"a.jsonl", "{\"text\":\"a\"}\n{\"text\":\n", "a.jsonl line 2: "},
      {"a.jsonl", "{\"body\":\"a\"}\n", "a.jsonl line 1: expected an object with the text \"text\""},
      {"a.jsonl", "[1]\n", "line 1: expected an object"},
      {"a.bin", "x", "expected a name that ends with .txt"},
      {"a.txt.zst", std::string("\x28\xb5\x2f\xfd????", 8), "a.txt.zst: the zstd data end in the middle"}};
  for (const auto& [name, bytes, words] : cases) {
    documents(write(name, bytes));
    EXPECT_NE(failure_.find(words), std::string::npos) << failure_ << "\nexpected: " << words;
  }
  documents((folder_ / "nothing.txt").string());
  EXPECT_NE(failure_.find("nothing.txt"), std::string::npos);
}

TEST_F(DataTest, ACorpusIsTheDocumentsIdsBetweenMarksForAnyThreads) {
  fs::create_directories(folder_ / "t");
  fs::copy_file(fs::path(JEVONS_SOURCE_DIR) / "tests/golden/tokenizers/smollm2.json", folder_ / "t/tokenizer.json");
  const Tokenizer tokenizer = *load_tokenizer(folder_ / "t");
  const DocumentMarks marks = *document_marks(tokenizer, "");
  EXPECT_EQ(tokenizer.token_bytes(marks.start), "<|endoftext|>");
  EXPECT_FALSE(document_marks(tokenizer, "<|none|>").ok());
  std::string text;
  for (int i = 0; i < 3000; ++i) text += cat("Document number ", i, " is here.\n<|endoftext|>\n");
  const std::vector<std::string> files = {write("a.txt", text), write("b.txt", "The end")};
  Exec one(1), two(2);
  const CorpusSize size = *encode_corpus(tokenizer, marks, files, {}, folder_ / "1.u32", one);
  (void)*encode_corpus(tokenizer, marks, files, {}, folder_ / "2.u32", two);
  EXPECT_EQ(*read_file(folder_ / "1.u32"), *read_file(folder_ / "2.u32"));
  EXPECT_EQ(size.documents, 3001);
  const TokenData data = *TokenData::open(folder_ / "1.u32", "");
  EXPECT_EQ(data.size(), size.tokens);
  std::vector<int32_t> ids;
  int64_t starts = 0;
  for (int64_t i = 0; i < data.size(); ++i) {
    starts += static_cast<int32_t>(data[i]) == marks.start;
    ids.push_back(static_cast<int32_t>(data[i]));
  }
  EXPECT_EQ(starts, 3001);
  EXPECT_EQ(ids[0], marks.start);
  EXPECT_EQ(tokenizer.decode(std::span(ids).subspan(0, 8), true).substr(0, 10), "Document n");
}

TEST(RowPlanTest, EveryPassTakesEveryRowOnceInAnOrderOfItsOwn) {
  TrainSettings s;
  s.batch = 7, s.seq = 4, s.order = "shuffled", s.seed = 5;
  RowPlan plan(4 * 35 + 3, s);
  ASSERT_EQ(plan.rows(), 35);
  std::vector<int64_t> first, second;
  for (int64_t step = 0; step < 10; ++step)
    for (int64_t at : plan.firsts(step)) (step < 5 ? first : second).push_back(at);
  EXPECT_NE(first, second);
  const std::vector<int64_t> again = RowPlan(4 * 35 + 3, s).firsts(7);
  EXPECT_TRUE(std::equal(again.begin(), again.end(), second.begin() + 14));
  std::vector<int64_t> wanted;
  for (int64_t r = 0; r < 35; ++r) wanted.push_back(4 * r);
  EXPECT_FALSE(std::is_sorted(first.begin(), first.end()));
  std::sort(first.begin(), first.end()), std::sort(second.begin(), second.end());
  EXPECT_EQ(first, wanted);
  EXPECT_EQ(second, wanted);
}

TEST(RowPlanTest, TheBatchGrowsAndTheRowsAddUp) {
  TrainSettings s;
  s.batch = 8, s.seq = 4, s.steps = 20, s.ramp_from = 2, s.ramp_steps = 6;
  RowPlan plan(100000, s);
  int64_t sum = 0, next = 0;
  for (int64_t step = 0; step < 20; ++step) {
    EXPECT_EQ(plan.rows_before(step), sum) << step;
    EXPECT_EQ(plan.batch(step), std::min<int64_t>(8, 2 + step)) << step;
    for (int64_t at : plan.firsts(step)) EXPECT_EQ(at, 4 * next++);
    EXPECT_LE(plan.steps_for(sum), step);
    sum += plan.batch(step);
    EXPECT_EQ(plan.steps_for(sum), step + 1);
  }
}

TEST_F(DataTest, ALogGoesOnWhereTheStateWasSaved) {
  const fs::path path = folder_ / "log.jsonl";
  {
    RunLog log(path, -1);
    for (int i = 0; i < 5; ++i) {
      log.write(Json::Object{{"step", i}, {"loss", 5.0 - i}});
      log.write(Json::Object{{"event", "save"}, {"step", i + 1}});
    }
  }
  write_file(path, *read_file(path) + "{\"step\":5,\"lo").value();  // killed while writing
  { RunLog(path, 3).write(Json::Object{{"step", 3}, {"loss", 9}}); }
  std::string seen;
  read_run_log(path, [&](const Json& line) {
    seen += cat(line.find("event") ? "s" : "", line.at("step").as_int(), " ");
  }).value();
  EXPECT_EQ(seen, "0 s1 1 s2 2 s3 3 ");
}

TEST_F(DataTest, APageHoldsTheRunAndNoTextCanEndItsScript) {
  const fs::path path = folder_ / "log.jsonl";
  {
    RunLog log(path, -1);
    log.write(Json::Object{{"event", "start"}, {"step", 0}, {"flops_per_token", 1e6}, {"peak_flops", 1e9}});
    for (int i = 0; i < 4000; ++i)
      log.write(Json::Object{{"step", i}, {"loss", 2.0}, {"tokens", 100 * (i + 1)}, {"seconds", 0.5}});
    log.write(Json::Object{
        {"event", "load"}, {"step", 4000}, {"layers", Json::Object{{"model.layers.1.mlp", Json::Array{1, 3}}}}});
    log.write(Json::Object{{"event", "evaluation"}, {"step", 4000}, {"held_out_loss", 1.5}, {"peak_flops", 4e9}});
    log.write(Json::Object{{"event", "sample"}, {"step", 4000}, {"prompt", "a"}, {"text", "</script><b>"}});
  }
  const Json run = *summarise_run(path);
  EXPECT_LE(run.at("steps").at("loss").size(), 1500u);
  EXPECT_EQ(run.at("bill").at("flops").as_double(), 1e6 * 400000);
  EXPECT_EQ(run.at("bill").at("seconds").as_double(), 2000);
  EXPECT_EQ(run.at("facts").at("peak_flops").as_double(), 4e9);  // the highest of all measurements
  EXPECT_EQ(run.at("bill").find("joules"), nullptr);
  EXPECT_EQ(run.at("load").dump(), R"({"layers":["model.layers.1.mlp"],"steps":[4000],"load":[[[0.25,0.75]]]})");
  write_run_page(path, folder_ / "run.html").value();
  const std::string html = *read_file(folder_ / "run.html");
  EXPECT_EQ(html.find("</script><b>"), std::string::npos);
  EXPECT_NE(html.find("\\u003c/script>\\u003cb>"), std::string::npos);
  EXPECT_EQ(html.find("http://"), html.find("http://www.w3.org/2000/svg"));  // the name of SVG; nothing is loaded
  EXPECT_EQ(html.find("https://"), std::string::npos);
  const std::string plot = *plot_run(path, 80);
  EXPECT_NE(plot.find("fullest 1.50 times its share"), std::string::npos) << plot;
}

TEST(H800, TheReportsOwnRunCostsWhatItSays) { EXPECT_NEAR(h800_dollars(14.8e12 * 250e9), 5.328e6, 1); }

TEST_F(DataTest, EnergyOfAllPackagesWithWrap) {
  for (const char* n : {"0", "1"}) {
    fs::create_directories(folder_ / cat("intel-rapl:", n));
    write_file(folder_ / cat("intel-rapl:", n) / "energy_uj", "9000000").value();
    write_file(folder_ / cat("intel-rapl:", n) / "max_energy_range_uj", "10000000").value();
  }
  EnergyMeter meter(folder_);
  write_file(folder_ / "intel-rapl:0" / "energy_uj", "9500000").value();
  write_file(folder_ / "intel-rapl:1" / "energy_uj", "1000000").value();
  EXPECT_NEAR(*meter.joules(), 0.5 + 2, 1e-9);
  EXPECT_NEAR(*meter.joules(), 0, 1e-9);
  EXPECT_FALSE(EnergyMeter(folder_ / "nowhere").joules());
}

}  // namespace
}  // namespace jevons
