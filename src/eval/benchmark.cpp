#include "eval/benchmark.h"

#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/easy_vqa.h"

namespace vlsi {

/// Lengths are those of lmms-eval's tasks, where they have one; at most what the evaluator of the method's authors
/// takes: 512 for MathVista, else 1,024.
Table<BenchmarkEntry>& benchmarks() {
  static Table<BenchmarkEntry> table{
      {"easy-vqa", "exact match, per question type (the records' `category`)", open_easy_vqa},
      {"ai2d", "diagrams of science", open_ai2d, {"AI2D_TEST", "AI2D_TEST_NO_MASK"}},
      {"blink", "fourteen tasks of perception", open_blink, {"BLINK"}, 1024},
      {"chartqa", "charts, numbers within 5 %", open_chartqa, {"ChartQA_TEST"}},
      {"cv-bench", "counting, relations, depth, distance", open_cv_bench, {"CV-Bench-2D", "CV-Bench-3D"}, 1024},
      {"docvqa", "documents, by edit distance", open_docvqa, {"DocVQA_VAL"}, 32},
      {"hallusion-bench", "figures as they are and changed, yes or no", open_hallusion_bench, {"HallusionBench"}, 128},
      {"infovqa", "infographics, by edit distance", open_infovqa, {"InfoVQA_VAL"}, 32},
      {"llava-wilder", "open questions, by a judge", open_llava_wilder, {}, 1024},
      {"mathvista", "mathematics in pictures", open_mathvista, {"MathVista_MINI"}, 512},
      {"mm-vet", "open questions, by a judge", open_mm_vet, {"MMVet"}, 1024},
      {"mm-vet-v2", "the same with several pictures", open_mm_vet_v2, {}, 1024},
      {"mmbench", "multiple choice, every turn of the options must be right", open_mmbench, {"MMBench_DEV_EN"}, 1024},
      {"mmbench-cn", "the same in Chinese", open_mmbench_cn, {"MMBench_DEV_CN"}, 256},
      {"mme", "fourteen tasks, two yes-or-no questions a picture", open_mme, {"MME"}},
      {"mmmu", "college subjects", open_mmmu, {"MMMU_DEV_VAL"}, 128},
      {"mmmu-pro", "college subjects, ten options", open_mmmu_pro, {"MMMU_Pro_10c", "MMMU_Pro_V"}, 256},
      {"mmstar", "questions that need their picture", open_mmstar, {"MMStar"}},
      {"ocrbench", "texts in pictures", open_ocrbench, {"OCRBench"}, 128},
      {"pope", "whether an object is there", open_pope, {"POPE"}, 128},
      {"qbench", "low-level properties of pictures", open_qbench, {"Q-Bench1_VAL", "Q-Bench1_TEST"}, 32},
      {"realworldqa", "photographs of the world", open_realworldqa, {"RealWorldQA"}},
      {"scienceqa", "school science", open_scienceqa, {"ScienceQA_VAL", "ScienceQA_TEST"}},
      {"seed-bench-2-plus", "charts, maps and web pages", open_seed_bench_2_plus, {"SEEDBench2_Plus"}},
      {"textvqa", "texts in photographs, ten people's answers", open_textvqa, {"TextVQA_VAL"}}};
  return table;
}

}  // namespace vlsi
