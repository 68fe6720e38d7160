#include "eval/predictions.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "base/parallel.h"
#include "base/quoted.h"
#include "eval/judging.h"
#include "eval/rows.h"

namespace vlsi {
namespace {

/// An answer under the id of its question, or, in lmms-eval's files, under its number from 0.
struct Prediction {
  std::string id, answer, place;
  std::optional<int64_t> number = {};
};

/// The first text in lists of lists.
std::optional<std::string> first_text(const Json& value) {
  if (value.is_array()) return value.empty() ? std::nullopt : first_text(value[0]);
  return text_of_value(value);
}

Prediction prediction_of(const Json& row, const std::string& place) {
  if (const auto number = row.find("doc_id"); number != row.end() && number->is_number_integer()) {
    for (const char* key : {"filtered_resps", "resps"}) {
      const auto replies = row.find(key);
      if (replies == row.end()) continue;
      if (auto text = first_text(*replies)) return {"", *std::move(text), place, number->get<int64_t>()};
    }
    fail(place, ": has a 'doc_id', and neither 'filtered_resps' nor 'resps' holds a text");
  }
  std::optional<std::string> id;
  for (const char* key : {"index", "id"}) {
    if (!id && row.contains(key)) id = text_of_value(row[key]);
  }
  if (!id) fail(place, ": has none of 'index', 'id' and 'doc_id'");
  for (const char* key : {"prediction", "answer", "response"}) {
    if (!row.contains(key)) continue;
    if (auto text = text_of_value(row[key])) return {*id, *std::move(text), place};
    if (row[key].is_null()) return {*id, "nan", place};
    fail(place, ": key '", key, "' is ", describe(row[key]), ", expected a text");
  }
  fail(place, ": has none of 'prediction', 'answer' and 'response'");
}

/// Of a table a missing cell is no key of its row.
Prediction prediction_of_table(Json row, const std::string& place) {
  if (!row.contains("prediction")) row["prediction"] = nullptr;
  return prediction_of(row, place);
}

/// {"id": "answer"}; nothing for a file of another form.
std::optional<std::vector<Prediction>> read_answers_by_id(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const auto text = file->text();
  const size_t first = text.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  if (first == text.npos || text[first] != '{' || !Json::accept(text.substr(first))) return std::nullopt;
  const Json all = parse_json(text, path.string());
  std::vector<Prediction> predictions;
  for (const auto& [id, answer] : all.items()) {
    if (!answer.is_string()) return std::nullopt;
    predictions.push_back({id, answer.get<std::string>(), concat(path.string(), ", key ", quoted(id))});
  }
  // One record of one line looks alike.
  return all.contains("answer") || all.contains("prediction") ? std::nullopt : std::optional(std::move(predictions));
}

std::vector<Prediction> read_all(const std::filesystem::path& path) {
  if (path.extension() != ".tsv" && path.extension() != ".xlsx") {
    if (auto answers = read_answers_by_id(path)) return *std::move(answers);
  }
  const Rows rows(path);
  const bool is_table = path.extension() == ".tsv";
  std::vector<Prediction> predictions(static_cast<size_t>(rows.size()));
  constexpr int64_t kOfAThread = 256;
  parallel_for(0, rows.size(), kOfAThread, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      auto& one = predictions[static_cast<size_t>(i)];
      one = is_table ? prediction_of_table(rows.row(i), rows.place(i)) : prediction_of(rows.row(i), rows.place(i));
    }
  });
  return predictions;
}

}  // namespace

std::vector<QuestionAnswer> read_predictions(const std::filesystem::path& path, const Benchmark& benchmark) {
  const int64_t num_questions = benchmark.questions().size();
  std::unordered_map<std::string, int64_t> numbers;
  for (int64_t i = 0; i < num_questions; ++i) numbers.emplace(benchmark.id(i), i);
  std::vector<std::optional<std::string>> answers(static_cast<size_t>(num_questions));
  for (auto& prediction : read_all(path)) {
    int64_t number = prediction.number.value_or(-1);
    if (const auto found = numbers.find(prediction.id); !prediction.number && found != numbers.end()) {
      number = found->second;
    }
    const auto name = [&] {
      return prediction.number ? std::to_string(*prediction.number) : vlsi::quoted(prediction.id);
    };
    if (number < 0 || number >= num_questions) {
      fail(prediction.place, ": answers question ", name(), ", which ", benchmark.questions().path().string(),
           " lacks");
    }
    auto& answer = answers[static_cast<size_t>(number)];
    if (answer) fail(prediction.place, ": is the second answer to question ", name());
    answer = std::move(prediction.answer);
  }
  std::vector<QuestionAnswer> all;
  for (int64_t i = 0; i < num_questions; ++i) {
    if (auto& answer = answers[static_cast<size_t>(i)]) all.emplace_back(i, *std::move(answer));
  }
  return all;
}

Summary score_predictions(const Benchmark& benchmark, const std::filesystem::path& predictions, int64_t limit,
                          const std::filesystem::path& lines, int64_t num_waiting) {
  auto answers = read_predictions(predictions, benchmark);
  std::erase_if(answers, [&](const auto& answer) { return answer.first >= limit; });
  const auto verdicts = judge_all(benchmark, answers, lines, {.num_waiting = num_waiting});
  benchmark.submit(answers, lines.parent_path());
  auto summary = benchmark.summarize(verdicts);
  const int64_t unanswered = std::min(limit, benchmark.questions().size()) - std::ssize(verdicts);
  if (unanswered > 0) {
    summary.json["unanswered"] = unanswered;
    summary.text += concat("  ", unanswered, unanswered == 1 ? " question has" : " questions have", " no answer\n");
  }
  return summary;
}

}  // namespace vlsi
