// The benchmarks whose questions are rows of files, one source file each.
#pragma once

#include "eval/benchmark.h"

namespace vlsi {

std::unique_ptr<Benchmark> open_ai2d(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_blink(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_chartqa(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_cv_bench(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_docvqa(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_hallusion_bench(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_infovqa(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_llava_wilder(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_mathvista(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_mm_vet(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_mm_vet_v2(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_mmbench(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_mmbench_cn(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_mme(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_mmmu(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_mmmu_pro(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_mmstar(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_ocrbench(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_pope(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_qbench(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_realworldqa(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_scienceqa(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_seed_bench_2_plus(const BenchmarkSource& source);
std::unique_ptr<Benchmark> open_textvqa(const BenchmarkSource& source);

}  // namespace vlsi
