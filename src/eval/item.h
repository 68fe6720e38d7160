// A benchmark's questions as rows of files, and what a community makes of them: the parts that most benchmarks are.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "eval/benchmark.h"
#include "eval/figures.h"
#include "eval/rows.h"
#include "eval/scoring/options.h"

namespace vlsi {

/// A row with the place that errors name. Of several keys, communities' names of the same thing, the first counts that
/// the row has.
struct RowReader {
  const Rows& rows;
  int64_t number;
  const Json& values;
  std::filesystem::path images;  // the folder of relative picture paths

  using Keys = std::initializer_list<const char*>;
  std::string place() const { return rows.place(number); }
  /// Null where the row has none of the keys, or null under them.
  const Json* find(Keys keys) const;
  std::string text(Keys keys) const;  // Error without it
  std::string text_or(Keys keys, std::string_view otherwise) const;
  std::vector<std::string> texts(Keys keys) const;  // Error without it
  /// Of the columns A, B, … that are there, else of a list under one of the keys. At most 26.
  Options options(Keys lists) const;
  /// The pictures of a table; else under the keys, each a path, a data URL, base64, a list of these, or Hugging Face's
  /// {"bytes", "path"}; and under image_1, image_2, …. A Parquet file's picture columns come before other columns.
  std::vector<Content> pictures(Keys keys) const;
};

struct Item {
  std::string id, question, hint;
  Options options;
  std::vector<Text> golds;      // the right answers; of multiple choice the letter; empty where they are not known
  bool gold_is_option = false;  // whether a gold is a letter of the options
  std::string unit;             // as Verdict has it
  Tags tags;
  Json row;

  /// The value of a tag, empty without it.
  std::string_view tag(std::string_view name) const;
};
std::string_view tag_of(const Tags& tags, std::string_view name);

/// What a rule finds in one answer.
struct Mark {
  std::string said;
  double score = 0;
  bool parsed = true, scored = true;
};
Mark right_or_wrong(bool right, TextView said);
/// A letter that must be the gold; nothing found is wrong and counted.
Mark mark_letter(const std::optional<Text>& letter, const Item& item);
/// For a judge.
inline Mark not_scored() { return {"", 0, true, false}; }

struct JudgeRule;  // eval/judge/judge_rule.h

/// One community's way with a benchmark.
struct Rules {
  Community community;
  std::string (*prompt)(const Item& item);
  /// Of an item with a gold: without one nothing is scored.
  Mark (*mark)(const Item& item, TextView answer, const Profile& profile);
  /// The figures of scored verdicts; the first is the benchmark's score.
  std::vector<Figure> (*figures)(const std::vector<Verdict>& verdicts);
  bool interleaved = false;          // `<image 1>` in a prompt is where the picture stands; else pictures come first
  const JudgeRule* judge = nullptr;  // takes the place of `mark` where there are a judge and its prompt
  bool needs_options = false;        // a row without options of its own is an error
  std::string_view prompts_in = {};  // a row without a `prompt` of its own is an error, which says to take these
};

/// A question with its answer, for a form in which answers are handed in.
struct Submitted {
  Item item;
  std::string answer;
};

struct BenchmarkRules {
  std::string_view name;
  Item (*read)(const RowReader& row);
  std::vector<Content> (*pictures)(const RowReader& row);
  std::vector<Rules> rules;
  void (*submit)(const std::vector<Submitted>& answers, const std::filesystem::path& folder) = nullptr;
};

/// Error for a profile that the benchmark lacks, and for a judge without the prompt that it needs.
std::unique_ptr<Benchmark> open_items(const BenchmarkSource& source, const BenchmarkRules& rules);

}  // namespace vlsi
