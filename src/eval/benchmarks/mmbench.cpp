// MMBench and MMBench-CN: multiple choice, each question several times with its options turned.
#include <map>

#include "base/atomic_file.h"
#include "eval/benchmarks/benchmarks.h"
#include "eval/benchmarks/choice_rows.h"
#include "eval/benchmarks/prompts.h"
#include "eval/scoring/ranked_letter.h"
#include "text/python/python_number.h"

namespace vlsi::mmbench {
namespace {

/// The turns of a question have its index plus millions.
constexpr int64_t kTurn = 1000000;

Item read(const RowReader& row) {
  Item item = read_choice(row, {"index"});
  // The hub's sets have "nan" for what there is none of; in a table its cell is missing.
  if (item.hint == "nan") item.hint.clear();
  std::erase_if(item.options, [](const Option& option) { return option.text.empty() || option.text == U"nan"; });
  const auto index = parse_int(to_text(item.id));
  if (!index || index->size() > 12) fail(row.place(), ": column 'index' is ", item.id, ", expected a whole number");
  const int64_t number = std::stoll(to_utf8(*index));
  item.unit = row.text_or({"g_index"}, std::to_string(number % kTurn));
  if (std::to_string(number) == item.unit) item.tags.emplace_back("base", "yes");
  return item;
}

template <bool kChinese>
std::string lmms_prompt(const Item& item) {
  const auto hint = item.hint.empty() ? "" : item.hint + " ";
  const std::string_view request =
      kChinese ? std::string_view("请直接使用所提供的选项字母作为答案回答。") : kAnswerWithLetter;
  return concat(hint, item.question, " There are several options:\n", listed_options(item), "\n\n", request);
}

/// The task "static", which asks no judge, and takes "nan" for the text of what there is none of from A to D.
Mark lmms_mark(const Item& item, TextView answer, const Profile&) {
  Options options = item.options;
  Text letters;
  for (const char32_t letter : TextView(U"ABCD")) {
    if (find_option(item.options, TextView(&letter, 1)) == nullptr) options.push_back({Text(1, letter), U"nan"});
  }
  for (const auto& option : options) letters += option.label;
  auto letter = mmbench_letter(strip(answer), options);
  if (!letter) letter = ranked_letter(strip(answer), letters);
  return mark_letter(letter, item);
}

Mark vlsi_mark(const Item& item, TextView answer, const Profile&) {
  return mark_letter(answer.empty() ? std::nullopt : std::optional(Text(answer.substr(0, 1))), item);
}

/// A question is right where all its turns are; its tags are those of the row that is not turned.
std::vector<Figure> circular_figures(const std::vector<Verdict>& verdicts) {
  std::map<std::string, Verdict> groups;
  std::map<std::string, bool> right;
  for (const auto& verdict : verdicts) {
    const auto [place, is_new] = right.try_emplace(verdict.unit, true);
    place->second = place->second && verdict.score == 1;
    if (!tag_of(verdict.tags, "base").empty()) groups.emplace(verdict.unit, verdict);
  }
  std::vector<Verdict> all;
  for (auto& [unit, verdict] : groups) {
    verdict.score = right[unit] ? 1 : 0;
    all.push_back(verdict);
  }
  return accuracy_figures(all);
}

std::string cell(const std::string& text) {
  if (text.find_first_of("\t\n\r\"") == text.npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

/// The table that the authors' server takes: index, question, options and prediction.
void submit(const std::vector<Submitted>& answers, const std::filesystem::path& folder) {
  std::string text = "index\tquestion\tA\tB\tC\tD\tprediction\n";
  for (const auto& [item, answer] : answers) {
    text += concat(item.id, '\t', cell(item.question), '\t');
    for (const char32_t letter : TextView(U"ABCD")) {
      const Option* option = find_option(item.options, TextView(&letter, 1));
      text += cell(option == nullptr ? "" : to_utf8(option->text)) + '\t';
    }
    text += cell(answer) + '\n';
  }
  write_file(folder / "submission.tsv", text);
}

BenchmarkRules rules_of(std::string_view name, std::string (*prompt)(const Item&)) {
  return {name,
          read,
          usual_pictures,
          {vlmevalkit_choice(vlmevalkit_choice_prompt, circular_figures),
           {Community::kLmms, prompt, lmms_mark, circular_figures},
           {Community::kVlsi, vlsi_choice_prompt, vlsi_mark, accuracy_figures}},
          submit};
}

}  // namespace
}  // namespace vlsi::mmbench

namespace vlsi {

std::unique_ptr<Benchmark> open_mmbench(const BenchmarkSource& source) {
  using namespace mmbench;
  static const auto rules = rules_of("mmbench", lmms_prompt<false>);
  return open_items(source, rules);
}

std::unique_ptr<Benchmark> open_mmbench_cn(const BenchmarkSource& source) {
  using namespace mmbench;
  static const auto rules = rules_of("mmbench-cn", lmms_prompt<true>);
  return open_items(source, rules);
}

}  // namespace vlsi
