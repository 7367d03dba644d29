// Whole models against the float64 results of tests/golden, whose README says where those come from.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/file.h"
#include "engine/engine.h"
#include "models/loader.h"

namespace jevons {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(JEVONS_SOURCE_DIR) / "tests/golden";

struct Golden {
  std::filesystem::path model, facts, tensors;
};

std::vector<Golden> goldens() {
  std::vector<Golden> out;
  for (const auto& entry : std::filesystem::directory_iterator(kGolden / "models"))
    out.push_back({entry.path(), entry.path() / "golden.json", entry.path() / "golden.safetensors"});
  for (const auto& entry : std::filesystem::directory_iterator(kGolden / "gguf")) {
    std::string stem = entry.path().stem().string();
    if (entry.path().extension() != ".gguf" || stem.ends_with("-00002-of-00002")) continue;
    if (stem.ends_with("-00001-of-00002")) stem.resize(stem.size() - 15);
    out.push_back(
        {entry.path(), kGolden / "gguf" / (stem + ".golden.json"), kGolden / "gguf" / (stem + ".golden.safetensors")});
  }
  return out;
}

std::vector<int32_t> ids(const Json& list) {
  std::vector<int32_t> out;
  for (const Json& id : list.as_array()) out.push_back(static_cast<int32_t>(id.as_int()));
  return out;
}

std::vector<float> floats(const TensorEntry& entry) {
  std::vector<float> out(entry.bytes.size() / sizeof(float));
  std::memcpy(out.data(), entry.bytes.data(), entry.bytes.size());
  return out;
}

struct How {
  const char* name;
  LoadOptions load;
  double tolerance;  // of the logits' standard deviation
};
const How kHow[] = {
    {"RefAbsorbed", {.device = DeviceKind::ref}, 2e-6},
    {"RefExpanded", {.device = DeviceKind::ref, .expanded = true}, 2e-6},
    {"CpuAbsorbed", {.exact = true}, 1e-4},
    {"CpuExpanded", {.exact = true, .expanded = true}, 1e-4},
};

class GoldenModel : public testing::TestWithParam<std::tuple<Golden, How>> {
 protected:
  GoldenModel()
      : checkpoint_(*Checkpoint::open(golden_.model)),
        decoder_(*load_decoder(checkpoint_, *read_config(checkpoint_), how_.load, exec_)),
        facts_(*Json::parse(*read_file(golden_.facts))),
        tensors_(*Safetensors::open(golden_.tensors)) {}

  Engine engine() {
    EngineOptions options;
    options.context = 128;
    options.step_tokens = 23;  // prompts come in several odd pieces
    options.exact = true;
    options.device = how_.load.device;
    options.cache_type = DType::f32;
    return Engine(decoder_, exec_, options);
  }

  std::vector<float> score(const std::vector<int32_t>& tokens, Engine::Score what) {
    Engine own = engine();
    std::vector<float> out;
    own.score(tokens, what, [&](int64_t, const Tensor& logits) {
      if (logits.dtype() == DType::f64)
        out.insert(out.end(), logits.as<double>().begin(), logits.as<double>().end());
      else
        out.insert(out.end(), logits.as<float>().begin(), logits.as<float>().end());
    });
    return out;
  }

  void expect_near(const std::vector<float>& got, const char* tensor) {
    const std::vector<float> expected = floats(*tensors_.find(tensor));
    ASSERT_GE(got.size(), expected.size());
    const double deviation = facts_.at("logits_std").is_number() ? facts_.at("logits_std").as_double() : 1;
    double worst = 0;
    const size_t skip = got.size() - expected.size();  // a long prompt's golden holds its last positions
    for (size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::fabs(double{got[skip + i]} - double{expected[i]}));
    EXPECT_LT(worst / deviation, how_.tolerance) << tensor;
  }

  const Golden golden_ = std::get<0>(GetParam());
  const How how_ = std::get<1>(GetParam());
  Exec exec_{2};
  Checkpoint checkpoint_;
  Decoder decoder_;
  Json facts_;
  Safetensors tensors_;
};

TEST_P(GoldenModel, LogitsAndGreedy) {
  for (const char* which : {"short", "long"}) {
    if (!facts_.find(which)) continue;
    const Json& prompt = facts_.at(which);
    const std::vector<int32_t> tokens = ids(prompt.at("tokens")), expected = ids(prompt.at("greedy"));
    if (const std::string name = std::string("logits.") + which; tensors_.find(name))
      expect_near(score(tokens, Engine::Score::all), name.c_str());
    std::vector<int32_t> greedy;
    Engine own = engine();
    (void)own
        .submit({tokens,
                 {},
                 [&](int32_t token, bool) {
                   greedy.push_back(token);
                   return Verdict{greedy.size() == expected.size(), {}};
                 },
                 {}})
        .value();
    while (own.step()) {
    }
    EXPECT_EQ(greedy, expected) << which;
  }
}

// Beside a sequence that is being answered, in odd pieces.
TEST_P(GoldenModel, HiddenStates) {
  if (!tensors_.find("final.short")) {
    EXPECT_EQ(golden_.facts.parent_path().filename(), "gguf");  // their golden files hold logits only
    return;
  }
  const std::vector<int32_t> tokens = ids(facts_.at("short").at("tokens"));
  std::vector<double> got;
  Engine own = engine();
  const auto stop_after_eight = [n = 0](int32_t, bool) mutable { return Verdict{++n == 8, {}}; };
  own.submit({.prompt = {5, 6, 7}, .on_token = stop_after_eight}).value();
  own.step();
  own.submit({.prompt = tokens,
              .on_hidden =
                  [&](int64_t first, const Tensor& rows) {
                    EXPECT_EQ(first * rows.shape()[1], static_cast<int64_t>(got.size()));
                    if (rows.dtype() == DType::f64)
                      got.insert(got.end(), rows.as<double>().begin(), rows.as<double>().end());
                    else
                      got.insert(got.end(), rows.as<float>().begin(), rows.as<float>().end());
                  }})
      .value();
  while (own.step()) {
  }
  const std::vector<float> expected = floats(*tensors_.find("final.short"));
  ASSERT_EQ(got.size(), expected.size());
  double worst = 0, squares = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    worst = std::max(worst, std::fabs(got[i] - double{expected[i]}));
    squares += double{expected[i]} * double{expected[i]};
  }
  EXPECT_LT(worst / std::sqrt(squares / static_cast<double>(got.size())), how_.tolerance);
}

TEST_P(GoldenModel, PredictionLayer) {
  if (!tensors_.find("mtp.short")) {
    EXPECT_EQ(decoder_.config().num_nextn_predict_layers, 0);
    return;
  }
  expect_near(score(ids(facts_.at("short").at("tokens")), Engine::Score::prediction), "mtp.short");
}

std::string case_name(const testing::TestParamInfo<GoldenModel::ParamType>& param) {
  std::string name = std::get<0>(param.param).model.filename().string() + "_" + std::get<1>(param.param).name;
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenModel, testing::Combine(testing::ValuesIn(goldens()), testing::ValuesIn(kHow)),
                         case_name);

}  // namespace
}  // namespace jevons
