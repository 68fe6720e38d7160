#include "eval/benchmark.h"

#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/easy_vqa.h"

namespace vlsi {

Table<BenchmarkEntry>& benchmarks() {
  static Table<BenchmarkEntry> table{
      {"easy-vqa", "exact match, per question type (the records' `category`)", open_easy_vqa},
      {"ai2d", "diagrams of science", open_ai2d},
      {"blink", "fourteen tasks of perception", open_blink},
      {"chartqa", "charts, numbers within 5 %", open_chartqa},
      {"cv-bench", "counting, relations, depth, distance", open_cv_bench},
      {"docvqa", "documents, by edit distance", open_docvqa},
      {"hallusion-bench", "figures as they are and changed, yes or no", open_hallusion_bench},
      {"infovqa", "infographics, by edit distance", open_infovqa},
      {"llava-wilder", "open questions, by a judge", open_llava_wilder},
      {"mathvista", "mathematics in pictures", open_mathvista},
      {"mm-vet", "open questions, by a judge", open_mm_vet},
      {"mm-vet-v2", "the same with several pictures", open_mm_vet_v2},
      {"mmbench", "multiple choice, every turn of the options must be right", open_mmbench},
      {"mmbench-cn", "the same in Chinese", open_mmbench_cn},
      {"mme", "fourteen tasks, two yes-or-no questions a picture", open_mme},
      {"mmmu", "college subjects", open_mmmu},
      {"mmmu-pro", "college subjects, ten options", open_mmmu_pro},
      {"mmstar", "questions that need their picture", open_mmstar},
      {"ocrbench", "texts in pictures", open_ocrbench},
      {"pope", "whether an object is there", open_pope},
      {"qbench", "low-level properties of pictures", open_qbench},
      {"realworldqa", "photographs of the world", open_realworldqa},
      {"scienceqa", "school science", open_scienceqa},
      {"seed-bench-2-plus", "charts, maps and web pages", open_seed_bench_2_plus},
      {"textvqa", "texts in photographs, ten people's answers", open_textvqa}};
  return table;
}

}  // namespace vlsi
