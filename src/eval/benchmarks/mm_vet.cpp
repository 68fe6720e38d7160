// MM-Vet and MM-Vet-v2: open questions that a judge scores from 0 to 1.
#include "base/atomic_file.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"

namespace vlsi::mm_vet {
namespace {

/// The authors' JSON (an object by id: imagename, question, answer, capability) and the tables of VLMEvalKit. In v2 a
/// question is text and names of pictures between <IMG>.
Item read(const RowReader& row) {
  Item item;
  item.id = id_of(row, {"__key", "question_id", "index", "id"});
  const Text question = to_text(row.text({"question"}));
  for (const auto piece : split(question, U"<IMG>")) {
    if (!contains(piece, U".png") && !contains(piece, U".jpg")) item.question += to_utf8(piece);
  }
  item.golds = {to_text(row.text({"answer"}))};
  std::string all;
  if (row.find({"capability", "category"}) != nullptr) {
    for (const auto& list : row.texts({"capability", "category"})) {
      const Text names = to_text(list);
      for (const auto name : split(names, U",")) {
        item.tags.emplace_back("capability", to_utf8(strip(name)));
        all += (all.empty() ? "" : ",") + to_utf8(strip(name));
      }
    }
  }
  item.tags.emplace_back("capabilities", all);
  return item;
}

std::vector<Content> pictures(const RowReader& row) {
  Json names = Json::array();
  const Text question = to_text(row.text_or({"question"}, ""));
  for (const auto piece : split(question, U"<IMG>")) {
    if (contains(piece, U".png") || contains(piece, U".jpg")) names.push_back(to_utf8(strip(piece)));
  }
  if (contains(question, U"<IMG>") && !names.empty()) {
    const Json inside{{"image", names}};
    return RowReader{row.rows, row.number, inside, row.images}.pictures({"image"});
  }
  return row.pictures({"image", "imagename"});
}

std::string lmms_prompt(const Item& item) {
  return "First please perform reasoning, and think step by step to provide best answer to the following question: "
         "\n\n" +
         item.question;
}

Mark judged(const Item&, TextView, const Profile&) { return not_scored(); }

std::vector<Figure> figures(const std::vector<Verdict>& verdicts) {
  std::vector<Figure> all{mean_figure("total", verdicts)};
  add_means_by({"capability", "capabilities"}, verdicts, all);
  return all;
}

/// What the authors' script and server take: answers by the ids of their questions.
void submit(const std::vector<Submitted>& answers, const std::filesystem::path& folder) {
  OrderedJson by_id = OrderedJson::object();
  for (const auto& [item, answer] : answers) by_id[item.id] = answer;
  write_json(folder / "submission.json", by_id);
}

}  // namespace
}  // namespace vlsi::mm_vet

namespace vlsi {

std::unique_ptr<Benchmark> open_mm_vet(const BenchmarkSource& source) {
  using namespace mm_vet;
  static const BenchmarkRules rules{"mm-vet",
                                    read,
                                    pictures,
                                    {{Community::kVlmEvalKit, bare_question, judged, figures},
                                     {Community::kLmms, lmms_prompt, judged, figures},
                                     {Community::kOfficial, bare_question, judged, figures},
                                     {Community::kVlsi, bare_question, judged, figures}},
                                    submit};
  return open_items(source, rules);
}

std::unique_ptr<Benchmark> open_mm_vet_v2(const BenchmarkSource& source) {
  using namespace mm_vet;
  static const BenchmarkRules rules{"mm-vet-v2",
                                    read,
                                    pictures,
                                    {{Community::kLmms, lmms_prompt, judged, figures},
                                     {Community::kOfficial, bare_question, judged, figures},
                                     {Community::kVlsi, bare_question, judged, figures}},
                                    submit};
  return open_items(source, rules);
}

}  // namespace vlsi
