// AdamW against PyTorch's own over ten updates of a whole model, and what its master weights and state promise.
#include "train/optimizer.h"

#include "base/dtype.h"
#include "base/json.h"
#include "model/parts.h"
#include "tests/model/fixtures.h"
#include "tests/support/in_ranks.h"
#include "tests/support/peak_bytes.h"

namespace vlsi {
namespace {

using fixtures::by_name;
using fixtures::random;

TEST(AdamWBesidePyTorch, GivesItsLossesAndGradientNormsForTenUpdates) {
  for (const auto& variant : fixtures::variants()) {
    SCOPED_TRACE(variant);
    const auto expected = read_json(fixtures::directory(variant) / "expected.json");
    const auto& training = expected.at("training");
    const auto& settings = training.at("optimizer");
    OptimizerConfig config;
    config.betas = settings.at("betas").get<std::vector<double>>();
    config.eps = settings.at("eps");
    config.weight_decay = settings.at("weight_decay");
    config.clip_norm = training.at("clip_norm");

    const auto model = load_vlm(fixtures::directory(variant), at::kFloat);
    AdamW optimizer(make_trainable(*model, {"decoder", "embeddings", "head"}, "test"), config);
    std::vector<Sample> samples;
    for (const auto& stored : fixtures::cases(variant)) samples.push_back(fixtures::sample_of(stored));
    const auto batch = pack(samples);
    for (size_t update = 0; update < training.at("losses").size(); ++update) {
      const auto loss = fixtures::summed_loss(*model, batch) / expected.at("num_labels").get<double>();
      loss.backward();
      optimizer.collect_gradients();
      const double norm = optimizer.step(settings.at("lr"));
      // Float32 rounding of losses of a few nats, some 1e-6. Where a gradient is close to zero AdamW takes it by its
      // sign, so that differences may grow with the updates.
      EXPECT_NEAR(loss.item<double>(), training.at("losses")[update].get<double>(), 2e-5) << "update " << update;
      const double expected_norm = training.at("gradient_norms")[update];
      EXPECT_NEAR(norm, expected_norm, 2e-5 * expected_norm) << "update " << update;
    }
  }
}

TEST(LearningRate, RisesLinearlyThenFallsAsACosine) {
  OptimizerConfig config;
  config.learning_rate = 1e-3;
  config.final_learning_rate = 1e-4;
  config.warmup = 0.1;
  EXPECT_DOUBLE_EQ(learning_rate(config, 0, 40), 0.25e-3);
  EXPECT_DOUBLE_EQ(learning_rate(config, 3, 40), 1e-3);
  EXPECT_DOUBLE_EQ(learning_rate(config, 4, 40), 1e-3);       // the cosine starts at its peak
  EXPECT_NEAR(learning_rate(config, 22, 40), 5.5e-4, 1e-15);  // and is half way down in the middle
  EXPECT_NEAR(learning_rate(config, 39, 40), 1e-4 + 9e-4 * (1 + std::cos(M_PI * 35 / 36)) / 2, 1e-15);
  EXPECT_NEAR(learning_rate(config, 40, 40), 1e-4, 1e-15);
  config.schedule = Schedule::kConstant;
  EXPECT_DOUBLE_EQ(learning_rate(config, 1, 40), 0.5e-3);
  EXPECT_DOUBLE_EQ(learning_rate(config, 39, 40), 1e-3);
}

TEST(LearningRate, WarmsUpNotAtAllWhenTheShareRoundsToNothing) {
  OptimizerConfig config;
  config.warmup = 0.03;
  EXPECT_DOUBLE_EQ(learning_rate(config, 0, 10), config.learning_rate);
  EXPECT_DOUBLE_EQ(learning_rate(config, 0, 1), config.learning_rate);
}

/// Two parameters and a loss that pulls them about.
class SmallProblem {
 public:
  explicit SmallProblem(at::ScalarType dtype, OptimizerConfig config = {})
      : a_(random({4, 3}, 1).to(dtype).requires_grad_()),
        b_(random({3}, 2).to(dtype).requires_grad_()),
        optimizer_({{"a", a_}, {"b", b_}}, config) {}

  double update() {
    const auto x = at::linspace(-1, 1, 20, at::kFloat).view({5, 4}).to(a_.scalar_type());
    ((at::mm(x, a_) + b_).to(at::kFloat).square() + a_.to(at::kFloat).sin().sum()).sum().backward();
    optimizer_.collect_gradients();
    return optimizer_.step(0.01);
  }

  at::Tensor a_, b_;
  AdamW optimizer_;
};

NamedTensors state_of(const AdamW& optimizer) {
  NamedTensors state;
  for (const auto& source : optimizer.state()) state.emplace_back(source.name, source.make().clone());
  return state;
}

/// A checkpoint in `folder` that holds `tensors`.
FoundCheckpoint checkpoint_of(const std::filesystem::path& folder, const NamedTensors& tensors) {
  write_safetensors(folder / "state.safetensors", tensors);
  return {{}, folder, SafetensorsFile::open(folder / "state.safetensors")};
}

class AdamWOfBothTypes : public testing::TestWithParam<at::ScalarType> {};

TEST_P(AdamWOfBothTypes, GoesOnAfterLoadingItsStateAsIfUninterrupted) {
  const Folder folder;
  SmallProblem uninterrupted(GetParam()), resumed(GetParam());
  for (int i = 0; i < 3; ++i) uninterrupted.update();
  resumed.optimizer_.load_state(checkpoint_of(folder.path(), state_of(uninterrupted.optimizer_)));
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(at::equal(resumed.a_, uninterrupted.a_));
    EXPECT_TRUE(at::equal(resumed.b_, uninterrupted.b_));
    EXPECT_EQ(resumed.update(), uninterrupted.update());
  }
}

/// Parameters of several sizes, of which rank r of R gives the gradient for its share of the rows of the input.
class SharedProblem {
 public:
  SharedProblem(at::ScalarType dtype, const OptimizerConfig& config, const Ranks& ranks)
      : ranks_(ranks),
        a_(random({4, 3}, 1).to(dtype).requires_grad_()),
        b_(random({1}, 2).to(dtype).requires_grad_()),
        rare_(random({5}, 3).to(dtype).requires_grad_()),
        never_(random({5}, 3).to(dtype).requires_grad_()),
        optimizer_({{"a", a_}, {"b", b_}, {"rare", rare_}, {"never", never_}}, config, ranks) {}

  /// `pass` of each rank alone, or of both after one another where there is one; the second reads `rare`, too.
  double update() {
    for (int64_t pass = 0; pass < 2; ++pass) {
      if (ranks_.size() == 2 && pass != ranks_.rank()) continue;
      const auto x = at::linspace(-1, 1, 8, at::kFloat).view({2, 4})[pass].unsqueeze(0).to(a_.scalar_type());
      auto loss = (at::mm(x, a_) + b_).to(at::kFloat).square().sum();
      if (pass == 1) loss = loss + rare_.to(at::kFloat).square().sum();
      loss.backward();
      optimizer_.collect_gradients();
    }
    return optimizer_.step(0.01);
  }

  const Ranks& ranks_;
  at::Tensor a_, b_, rare_, never_;
  AdamW optimizer_;
};

TEST_P(AdamWOfBothTypes, OnTwoRanksUpdatesAsOnOneThatSeesBothGradients) {
  const Folder folder;
  OptimizerConfig config;
  config.weight_decay = 0.1;
  config.clip_norm = 0;  // whose scale would depend on the last bit of the norm
  SharedProblem alone(GetParam(), config, one_rank());
  std::vector<double> norms;
  for (int i = 0; i < 3; ++i) norms.push_back(alone.update());
  const auto half_way = state_of(alone.optimizer_);
  const auto checkpoint = checkpoint_of(folder.path(), half_way);
  for (int i = 0; i < 3; ++i) norms.push_back(alone.update());
  const auto end = state_of(alone.optimizer_);

  const auto errors = in_ranks(2, [&](const Ranks& ranks) {
    SharedProblem first(GetParam(), config, ranks), second(GetParam(), config, ranks);
    const auto expect_state = [&](const SharedProblem& problem, const NamedTensors& expected) {
      const auto found = state_of(problem.optimizer_);
      ASSERT_EQ(found.size(), expected.size());
      for (size_t i = 0; i < found.size(); ++i) {
        EXPECT_EQ(found[i].first, expected[i].first);
        EXPECT_TRUE(at::equal(found[i].second, expected[i].second)) << found[i].first;
      }
    };
    // Each rank's squares are summed apart, in float64.
    for (int i = 0; i < 3; ++i) EXPECT_NEAR(first.update(), norms[i], 1e-12 * norms[i]);
    expect_state(first, half_way);
    second.optimizer_.load_state(checkpoint);
    for (int i = 3; i < 6; ++i) EXPECT_NEAR(second.update(), norms[i], 1e-12 * norms[i]);
    expect_state(second, end);
    for (const auto& [mine, whole] : {std::pair(second.a_, alone.a_), std::pair(second.b_, alone.b_),
                                      std::pair(second.rare_, alone.rare_), std::pair(second.never_, alone.never_)}) {
      EXPECT_TRUE(at::equal(mine, whole));
    }
  });
  EXPECT_EQ(errors, (std::vector<std::string>{"", ""}));
}

TEST_P(AdamWOfBothTypes, KeepsOnARankItsPartOfTheStateAlone) {
  const auto errors = in_ranks(2, [](const Ranks& ranks) {
    const auto parameter = at::ones({1000}, GetParam()).requires_grad_();
    const int64_t bytes = peak_bytes([&] { const AdamW optimizer({{"p", parameter}}, {}, ranks); });
    const int64_t wanted = (GetParam() == at::kFloat ? 2 : 3) * 500 * 4;  // moments, and masters of bfloat16
    EXPECT_GE(bytes, wanted);
    EXPECT_LE(bytes, wanted + 400);  // with the number of steps, and the allocator's rounding
  });
  EXPECT_EQ(errors, (std::vector<std::string>{"", ""}));
}

INSTANTIATE_TEST_SUITE_P(Types, AdamWOfBothTypes, testing::Values(at::kFloat, at::kBFloat16),
                         [](const auto& type) { return dtype_name(type.param); });

TEST(AdamW, RefusesAStateThatDoesNotFit) {
  const Folder folder;
  SmallProblem problem(at::kFloat);
  const auto error = [&](const NamedTensors& state) {
    return message_of([&] { problem.optimizer_.load_state(checkpoint_of(folder.path(), state)); });
  };
  auto state = state_of(problem.optimizer_);
  EXPECT_NE(error(NamedTensors(state.begin() + 1, state.end())).find("1 problem(s): missing parameter.a"),
            std::string::npos);
  state.front().second = at::zeros({3, 4});
  EXPECT_NE(error(state).find("parameter.a is [3, 4], expected [4, 3]"), std::string::npos);
}

TEST(AdamW, KeepsUpdatesTooSmallForBfloat16InItsMasterWeights) {
  auto parameter = at::ones({4}, at::kBFloat16).requires_grad_();
  AdamW optimizer({{"p", parameter}}, {});
  // Neighbours of 1 are 0.0039 and more away: a single step of 1e-4 rounds to nothing, a hundred of them must not.
  for (int i = 0; i < 100; ++i) {
    parameter.mutable_grad() = at::ones_like(parameter);
    optimizer.collect_gradients();
    optimizer.step(1e-4);
    if (i > 0) continue;
    EXPECT_TRUE(at::equal(parameter, at::ones_like(parameter)));
  }
  EXPECT_NEAR(by_name(state_of(optimizer)).at("parameter.p")[0].item<double>(), 0.99, 1e-5);
  EXPECT_TRUE(at::equal(parameter, at::full({4}, 0.99).to(at::kBFloat16)));
}

TEST(AdamW, AddsGradientsOfBfloat16ParametersInFloat32) {
  auto parameter = at::ones({1}, at::kBFloat16).requires_grad_();
  AdamW optimizer({{"p", parameter}}, {});
  for (const double gradient : {1.0, 0x1.0p-10}) {  // their sum needs 11 bits
    parameter.mutable_grad() = at::full({1}, gradient, at::kBFloat16);
    optimizer.collect_gradients();
  }
  EXPECT_EQ(optimizer.step(1e-4), 1.0 + 0x1.0p-10);
}

TEST(AdamW, ClipsTheGradientAndReturnsItsNormBefore) {
  const auto first_moment = [](double clip_norm) {
    auto a = at::zeros({1}).requires_grad_(), b = at::zeros({1}).requires_grad_();
    OptimizerConfig config;
    config.clip_norm = clip_norm;
    AdamW optimizer({{"a", a}, {"b", b}}, config);
    a.mutable_grad() = at::full({1}, 3.0);
    b.mutable_grad() = at::full({1}, 4.0);
    optimizer.collect_gradients();
    EXPECT_FLOAT_EQ(static_cast<float>(optimizer.step(1e-3)), 5.0F);
    return by_name(state_of(optimizer)).at("exp_avg.a").item<double>();
  };
  // A tenth of the gradient after the first step.
  EXPECT_NEAR(first_moment(1), 0.1 * 0.6, 1e-6);
  EXPECT_NEAR(first_moment(10), 0.1 * 3, 1e-6);
  EXPECT_NEAR(first_moment(0), 0.1 * 3, 1e-6);
}

TEST(AdamW, LeavesParametersWithoutAGradientAlone) {
  auto used = at::ones({2}).requires_grad_(), unused = at::ones({2}).requires_grad_();
  OptimizerConfig config;
  config.weight_decay = 0.5;
  AdamW optimizer({{"used", used}, {"unused", unused}}, config);
  EXPECT_EQ(optimizer.step(0.1), 0);
  used.sum().backward();
  optimizer.collect_gradients();
  optimizer.step(0.1);
  EXPECT_FALSE(at::equal(used, at::ones({2})));
  EXPECT_TRUE(at::equal(unused, at::ones({2})));
  EXPECT_FALSE(used.grad().defined());
}

TEST(AdamW, ForgetsWhatItCollectedWhenCleared) {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    auto parameter = at::ones({2}, dtype).requires_grad_();
    AdamW optimizer({{"p", parameter}}, {});
    parameter.sum().backward();
    optimizer.collect_gradients();
    optimizer.clear_gradients();
    EXPECT_EQ(optimizer.step(0.1), 0);
    EXPECT_TRUE(at::equal(parameter, at::ones({2}, dtype)));
  }
}

TEST(OptimizerConfig, RefusesValuesThatNoRunCanUse) {
  const auto error = [](const std::function<void(OptimizerConfig&)>& change) {
    OptimizerConfig config;
    change(config);
    return message_of([&] { check(config, "optimizer", "run.yaml"); });
  };
  EXPECT_EQ(error([](auto&) {}), "no error");
  const std::vector<std::pair<const char*, std::function<void(OptimizerConfig&)>>> changes{
      {"learning_rate", [](auto& c) { c.learning_rate = 0; }},
      {"learning_rate", [](auto& c) { c.learning_rate = NAN; }},
      {"final_learning_rate", [](auto& c) { c.final_learning_rate = -1; }},
      {"warmup", [](auto& c) { c.warmup = 1; }},
      {"warmup", [](auto& c) { c.warmup = -0.1; }},
      {"betas", [](auto& c) { c.betas = {0.9}; }},
      {"betas",
       [](auto& c) {
         c.betas = {0.9, 1.0};
       }},
      {"eps", [](auto& c) { c.eps = 0; }},
      {"weight_decay", [](auto& c) { c.weight_decay = -1; }},
      {"clip_norm", [](auto& c) { c.clip_norm = -1; }},
      {"accumulate", [](auto& c) { c.accumulate = 0; }},
      {"accumulate", [](auto& c) { c.accumulate = 1'000'001; }}};
  for (const auto& [key, change] : changes) {
    const auto message = error(change);
    EXPECT_TRUE(message.starts_with("run.yaml: key 'optimizer.")) << message;
    EXPECT_NE(message.find(key), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace vlsi
