// Times of the verbal objective and of what it is made of, and of the same loss with all logits materialised.
//   objective_bench [--vocab_size=N] [Google Benchmark's options]
// bench/run.sh objective runs it and the peers in turns and draws the ratios.
#include <ATen/ATen.h>
#include <benchmark/benchmark.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/parallel.h"
#include "bench/objective.h"
#include "objective/cpu/tile_pipeline.h"
#include "objective/cpu/vocabulary_pass.h"
#include "objective/cross_entropy.h"
#include "objective/verbal_kl.h"

namespace {

using namespace vlsi;

constexpr int64_t kPositions = 256, kLayers = 8, kManyLayers = 21;
constexpr int64_t kNarrowTeacher = 3584, kWideTeacher = 8192;

/// Heads by teacher width, made when a benchmark first wants them.
class HeadStore {
 public:
  explicit HeadStore(int64_t vocab_size) : vocab_size_(vocab_size) {}
  const Heads& get(int64_t teacher_width) {
    auto found = heads_.find(teacher_width);
    if (found == heads_.end()) found = heads_.emplace(teacher_width, make_heads(teacher_width, vocab_size_)).first;
    return found->second;
  }
  int64_t vocab_size() const { return vocab_size_; }

 private:
  int64_t vocab_size_;
  std::map<int64_t, Heads> heads_;
};

template <class Body>
void add(const std::string& name, Body body) {
  benchmark::RegisterBenchmark(name.c_str(), std::move(body))->Unit(benchmark::kMillisecond)->UseRealTime();
}

/// GFLOP/s of `multiply_adds` an iteration.
void count_work(benchmark::State& state, double multiply_adds) {
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * multiply_adds, benchmark::Counter::kIsIterationInvariantRate);
}

void add_mm(HeadStore& store) {
  add("mm", [&](benchmark::State& state) {
    const auto x = at::randn({512, kStudentWidth}).to(at::kBFloat16);
    const auto head = store.get(kNarrowTeacher).student.narrow(0, 0, 8192);
    for (auto _ : state) benchmark::DoNotOptimize(at::mm(x, head.t()));
    count_work(state, 512.0 * kStudentWidth * 8192);
  });
}

/// `layers` layers of `positions` positions through the first `vocab_size` rows of a head of that width.
void head_pass(benchmark::State& state, const Heads& heads, int64_t width, int64_t layers, int64_t positions,
               int64_t vocab_size) {
  const auto hidden = make_hidden(heads, layers, layers, positions);
  const auto& u = width == kStudentWidth ? hidden.student : hidden.teacher;
  const auto& head = width == kStudentWidth ? heads.student : heads.teacher;
  const auto head_rows = head.narrow(0, 0, vocab_size), rows = heads.student.narrow(0, 0, vocab_size);
  for (auto _ : state) benchmark::DoNotOptimize(head_summary(u, head_rows, rows));
  count_work(state, static_cast<double>(layers * positions) * static_cast<double>(vocab_size) *
                        static_cast<double>(width + kStudentWidth));
}

void add_head_passes(HeadStore& store) {
  for (const int64_t width : {kStudentWidth, kNarrowTeacher, kWideTeacher}) {
    add("head_pass/" + std::to_string(width), [&store, width](benchmark::State& state) {
      head_pass(state, store.get(std::max(width, kNarrowTeacher)), width, kLayers, kPositions, store.vocab_size());
    });
  }
  // How the time grows with each of three sizes.
  for (const int64_t part : {1, 2, 4}) {
    const auto name = [&](const char* what) { return "growth/" + std::string(what) + "/" + std::to_string(part); };
    add(name("vocabulary"), [&store, part](benchmark::State& state) {
      head_pass(state, store.get(kNarrowTeacher), kStudentWidth, 4, 128, store.vocab_size() / 4 / 2 * 2 * part);
    });
    add(name("positions"), [&store, part](benchmark::State& state) {
      head_pass(state, store.get(kNarrowTeacher), kStudentWidth, 1, 128 * part, store.vocab_size());
    });
    add(name("layers"), [&store, part](benchmark::State& state) {
      head_pass(state, store.get(kNarrowTeacher), kStudentWidth, part, 128, store.vocab_size());
    });
  }
}

/// Both products of a head pass for one tile of the vocabulary, without the softmax between them.
void add_tile_products(HeadStore& store) {
  const auto add_products = [&](const std::string& name, std::unique_ptr<TileProducts> (*make)(const HeadPassInput&)) {
    add("tile_products/" + name, [&store, make](benchmark::State& state) {
      const auto head = store.get(kNarrowTeacher).student.narrow(0, 0, kTileRows);
      const auto u = at::randn({kLayers * kPositions, kStudentWidth}).to(at::kBFloat16);
      const auto input = head_pass_input(u, head, head);
      if (!has_tile_products(input)) return state.SkipWithError("this processor has no AVX512-BF16");
      const auto products = make(input);
      const int64_t block_numbers = kTileRows * products->block_size();
      const int64_t expected_numbers = kStudentWidth * products->block_size();
      std::vector<float> z(static_cast<size_t>(num_threads() * block_numbers));
      std::vector<uint16_t> p(static_cast<size_t>(block_numbers));
      std::vector<float> e(static_cast<size_t>(products->num_blocks() * expected_numbers));
      for (auto _ : state) {
        run_pipeline({1, products->num_parts(), products->num_blocks(),
                      [&](int64_t tile, int64_t part) { products->prepare(tile, part); },
                      [&](int64_t tile, int64_t block) {
                        products->logits(tile, block, z.data() + thread_index() * block_numbers);
                        products->add_expected(tile, block, p.data(), e.data() + block * expected_numbers);
                      }});
      }
      count_work(state, 2.0 * static_cast<double>(u.size(0) * kTileRows * kStudentWidth));
    });
  };
  add_products("avx512", &avx512_products);
  add_products("mkl", &mkl_products);
}

void add_steps(HeadStore& store) {
  struct Shape {
    int64_t teacher_layers, positions, teacher_width;
  };
  for (const auto& shape : {Shape{kLayers, kPositions, kNarrowTeacher}, Shape{kLayers, 1024, kNarrowTeacher},
                            Shape{kManyLayers, kPositions, kWideTeacher}}) {
    const auto add_step = [&](const std::string& way, auto step) {
      const auto name = "step/" + std::to_string(kLayers) + "x" + std::to_string(shape.teacher_layers) + "/" +
                        std::to_string(shape.positions) + "/" + way;
      add(name, [&store, shape, step](benchmark::State& state) {
        const auto& heads = store.get(shape.teacher_width);
        const auto hidden = make_hidden(heads, kLayers, shape.teacher_layers, shape.positions);
        for (auto _ : state) benchmark::DoNotOptimize(step(heads, hidden));
      });
    };
    add_step("ours", [](const Heads& heads, const Hidden& hidden) { return step_ours(heads, hidden).loss; });
    const auto add_materialised = [&](const std::string& way, at::ScalarType dtype, Reading reading) {
      add_step(way, [dtype, reading](const Heads& heads, const Hidden& hidden) {
        return step_materialised(heads, hidden, dtype, reading).loss;
      });
    };
    add_materialised("materialised_shared", at::kBFloat16, Reading::kShared);
    if (shape.positions > kPositions) continue;  // the others take more memory than a common machine has
    add_materialised("materialised", at::kBFloat16, Reading::kPairByPair);
    if (shape.teacher_width == kNarrowTeacher)
      add_materialised("materialised_float32", at::kFloat, Reading::kPairByPair);
  }
}

void add_losses(HeadStore& store) {
  add("cross_entropy", [&](benchmark::State& state) {
    const auto& heads = store.get(kNarrowTeacher);
    const auto hidden = make_hidden(heads, kLayers, 1, kPositions);
    const auto labels = at::randint(store.vocab_size(), {kPositions}, at::kLong);
    for (auto _ : state) {
      const auto u = hidden.student.detach().requires_grad_(true);
      cross_entropy(u, heads.student, labels).mean(1).sum().backward();
    }
  });
  // The whole matrix against one teacher layer, of summaries that are there already.
  for (const int64_t layers : {int64_t{1}, kManyLayers}) {
    add("pairs/" + std::to_string(layers), [&store, layers](benchmark::State& state) {
      const auto& heads = store.get(kNarrowTeacher);
      const auto hidden = make_hidden(heads, kLayers, 1, kPositions);
      const TeacherSummary teacher{at::randn({layers, kPositions, kStudentWidth}), at::rand({layers, kPositions})};
      for (auto _ : state) {
        const auto u = hidden.student.detach().requires_grad_(true);
        all_pairs_kl(u, heads.student, teacher).sum().backward();
      }
    });
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  int64_t vocab_size = kVocabSize;
  for (int i = 1; i < argc; ++i) {
    constexpr std::string_view flag = "--vocab_size=";
    const std::string_view argument = argv[i];
    const auto value = argument.starts_with(flag) ? argument.substr(flag.size()) : std::string_view();
    const char* end = value.data() + value.size();
    if (std::from_chars(value.data(), end, vocab_size).ptr != end || value.empty() || vocab_size < 8192 ||
        vocab_size > kVocabSize || vocab_size % 2 != 0) {
      std::fprintf(stderr, "objective_bench: found '%s', expected --vocab_size=N, even, 8,192 to 151,936\n", argv[i]);
      return 2;
    }
  }
  HeadStore store(vocab_size);
  add_mm(store);
  add_head_passes(store);
  add_tile_products(store);
  add_steps(store);
  add_losses(store);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
