// MME: two yes-or-no questions about each picture, of ten tasks of perception and four of cognition.
#include <algorithm>
#include <map>

#include "base/atomic_file.h"
#include "base/quoted.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/benchmarks/yes_no_mark.h"
#include "eval/scoring/yes_no.h"

namespace vlsi::mme {
namespace {

const std::vector<std::string> kPerception{"existence", "count", "position", "color",   "posters",
                                           "celebrity", "scene", "landmark", "artwork", "OCR"};
const std::vector<std::string> kCognition{"commonsense_reasoning", "numerical_calculation", "text_translation",
                                          "code_reasoning"};

std::vector<std::string> all_tasks() {
  auto tasks = kPerception;
  tasks.insert(tasks.end(), kCognition.begin(), kCognition.end());
  return tasks;
}

bool is_task(const std::string& name) {
  static const auto tasks = all_tasks();
  return std::find(tasks.begin(), tasks.end(), name) != tasks.end();
}

/// The tables of VLMEvalKit (questions of one image_path belong together), lmms-eval's set (of one question_id), and
/// the authors' folder (data/mme_folder.h).
Item read(const RowReader& row) {
  Item item;
  item.question = row.text({"question"});
  item.golds = {yes_no_gold(row, {"answer"})};
  const auto task = row.text({"category"});
  if (!is_task(task)) fail(row.place(), ": 'category' is ", quoted(task), ", expected one of MME's 14 tasks, as OCR");
  item.tags.emplace_back("category", task);
  item.unit = concat(task, "/", row.text({"image_path", "question_id", "image"}));
  item.id = row.find({"index", "id"}) != nullptr ? row.text({"index", "id"}) : concat(item.unit, "/", item.question);
  return item;
}

/// lmms-eval's form, which the data of the method's evaluator has, too.
std::string lmms_prompt(const Item& item) {
  const Text question = replace(strip(to_text(item.question)), U" Please answer yes or no.", U"");
  return concat(to_utf8(question), "\n", kAnswerWithWord);
}

/// The sum over tasks of accuracy and of the share of pictures with both answers right, each up to 100.
Figure points(const std::string& name, const std::vector<Verdict>& verdicts, const std::vector<std::string>& tasks) {
  std::map<std::string, std::pair<int32_t, std::vector<double>>> pictures;
  for (const auto& verdict : verdicts) {
    const auto task = std::find(tasks.begin(), tasks.end(), verdict.category);
    if (task == tasks.end()) continue;
    auto& picture = pictures[verdict.unit];
    picture.first = static_cast<int32_t>(task - tasks.begin());
    picture.second.push_back(verdict.score);
  }
  std::vector<Unit> units;
  int64_t count = 0;
  for (const auto& [picture, answers] : pictures) {
    double right = 0;
    for (const double score : answers.second) right += score;
    const auto total = static_cast<double>(answers.second.size());
    const bool both = answers.second.size() >= 2 && right == total;
    units.push_back({{{answers.first, right / total + (both ? 1 : 0), 1}}});
    count += std::ssize(answers.second);
  }
  return figure_of_units(name, units, tasks.size(), count, [](std::span<const Sums> parts) {
    double sum = 0;
    for (const auto& part : parts) sum += part.mean();
    return sum;
  });
}

std::vector<Figure> figures(const std::vector<Verdict>& verdicts) {
  const auto tasks = all_tasks();
  std::vector<Figure> all{points("perception and cognition", verdicts, tasks),
                          points("perception", verdicts, kPerception), points("cognition", verdicts, kCognition)};
  for (const auto& task : tasks) {
    auto figure = points(task, verdicts, {task});
    if (figure.count > 0) all.push_back(std::move(figure));
  }
  return all;
}

std::string on_one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return text;
}

/// The authors' tool takes a file a task: picture, question, right answer and answer between tabs, the two questions of
/// a picture one after the other.
void submit(const std::vector<Submitted>& answers, const std::filesystem::path& folder) {
  std::map<std::string, std::map<std::string, std::string>> tasks;  // of each the lines by picture
  for (const auto& [item, answer] : answers) {
    const auto task = std::string(item.tag("category"));
    const auto picture = item.unit.substr(task.size() + 1);
    const auto name = picture.substr(picture.rfind('/') + 1);
    tasks[task][item.unit] += concat(name, '\t', on_one_line(item.question), '\t',
                                     item.golds[0] == U"yes" ? "Yes" : "No", '\t', on_one_line(answer), '\n');
  }
  make_directories(folder / "submission");
  for (const auto& [task, pictures] : tasks) {
    std::string text;
    for (const auto& [picture, lines] : pictures) text += lines;
    write_file(folder / "submission" / (task + ".txt"), text);
  }
}

}  // namespace
}  // namespace vlsi::mme

namespace vlsi {

std::unique_ptr<Benchmark> open_mme(const BenchmarkSource& source) {
  using namespace mme;
  static const BenchmarkRules rules{
      "mme",
      read,
      usual_pictures,
      {{Community::kVlmEvalKit, bare_question, mark_yes_no<yes_no_by_words>, figures, false, &kYesNoJudge},
       {Community::kLmms, lmms_prompt, mark_yes_no<yes_no_of_mme_lmms>, figures},
       {Community::kOfficial, bare_question, mark_yes_no<yes_no_of_mme>, figures},
       {Community::kVlsi, lmms_prompt, mark_yes_no<yes_no_of_mme>, figures}},
      submit};
  return open_items(source, rules);
}

}  // namespace vlsi
