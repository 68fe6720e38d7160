#include "eval/item.h"

#include <algorithm>
#include <unordered_set>

#include "base/base64.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/quoted.h"
#include "data/picture_source.h"
#include "data/read_picture.h"
#include "eval/judge/judge_rule.h"
#include "picture/codecs.h"

namespace vlsi {
namespace {

constexpr size_t kMostOptions = 26;
constexpr int64_t kRowsAtOnce = 256;  // of a thread

std::string listed(RowReader::Keys keys) {
  std::string names;
  for (const char* key : keys) names += concat(names.empty() ? "'" : " or '", key, "'");
  return names;
}

/// The picture's file as it is.
std::string data_url(const Content& picture) {
  const auto name = name_of_picture(picture);
  if (!picture.picture_file.empty()) {
    return concat("data:", picture_codec_of(picture.picture_file, name).mime_type, ";base64,",
                  base64(picture.picture_file));
  }
  const auto file = MappedFile::open(picture.image);
  return concat("data:", picture_codec_of(file->text(), name).mime_type, ";base64,", base64(file->text()));
}

/// What stands for an answer that is not told: the hub's and VLMEvalKit's ways to mark the questions of a server.
bool is_hidden(const std::vector<Text>& golds) {
  return std::all_of(golds.begin(), golds.end(),
                     [](const Text& gold) { return gold.empty() || gold == U"?" || gold == U"hidden"; });
}

bool names_no_option(const Item& item) {
  const auto is_option = [&](const Text& gold) { return find_option(item.options, gold) != nullptr; };
  return item.gold_is_option && !item.options.empty() && !item.golds.empty() &&
         std::none_of(item.golds.begin(), item.golds.end(), is_option);
}

class ItemBenchmark : public Benchmark, private Records {
 public:
  ItemBenchmark(const BenchmarkSource& source, const BenchmarkRules& rules)
      : all_rules_(rules),
        rules_(chosen(rules, *source.profile)),
        profile_(*source.profile),
        is_asked_(source.is_asked),
        judge_(prompts_of(source)),
        rows_(source.data) {
    const bool is_folder = std::filesystem::is_directory(source.data);
    images_ = !source.images.empty() ? source.images : is_folder ? source.data : source.data.parent_path();
    ids_.resize(static_cast<size_t>(rows_.size()));
    std::vector<char> has_other_gold(ids_.size());
    parallel_for(0, rows_.size(), kRowsAtOnce, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        auto one = item(i);
        expect_form(one, i);
        has_other_gold[static_cast<size_t>(i)] = names_no_option(one);
        ids_[static_cast<size_t>(i)] = std::move(one.id);
      }
    });
    tell_of_other_golds(has_other_gold);
    std::unordered_set<std::string_view> seen;
    seen.reserve(ids_.size());
    for (int64_t i = 0; i < rows_.size(); ++i) {
      if (!seen.insert(ids_[static_cast<size_t>(i)]).second) {
        fail(rows_.place(i), ": the id ", quoted(ids_[static_cast<size_t>(i)]), " is there twice");
      }
    }
  }

  const Records& questions() const override { return *this; }
  std::string id(int64_t question) const override { return ids_[static_cast<size_t>(question)]; }

  Verdict judge(int64_t question, const std::string& answer) const override {
    const auto one = item(question);
    const Text text = to_text(answer);
    auto judged = judged_answer(question, one);
    auto mark = one.golds.empty() ? not_scored()
                : judged          ? rules_.judge->mark(one, text, profile_, *judged)
                                  : rules_.mark(one, text, profile_);
    Verdict verdict{question, mark.score, std::string(one.tag("category")), {}};
    verdict.line = {{"id", one.id}};
    if (!verdict.category.empty()) verdict.line["category"] = verdict.category;
    verdict.line["prompt"] = rules_.prompt(one);
    verdict.line["answer"] = answer;
    verdict.line["parsed"] = mark.parsed ? OrderedJson(mark.said) : OrderedJson(nullptr);
    verdict.line["score"] = mark.scored ? OrderedJson(mark.score) : OrderedJson(nullptr);
    verdict.judged = judged && judged->is_asked();
    if (verdict.judged) verdict.line["judge"] = judged->last_reply();
    verdict.unit = one.unit;
    verdict.tags = one.tags;
    verdict.said = std::move(mark.said);
    verdict.parsed = mark.parsed;
    verdict.scored = mark.scored;
    verdict.known = !one.golds.empty();
    return verdict;
  }

  void check_judge() const override {
    if (judge_.judge) judge_.judge->expect_answered();
  }

  void submit(const std::vector<QuestionAnswer>& answers, const std::filesystem::path& folder) const override {
    if (all_rules_.submit == nullptr) return;
    std::vector<Submitted> all;
    for (const auto& [question, answer] : answers) all.push_back({item(question), answer});
    all_rules_.submit(all, folder);
  }

  Summary summarize(const std::vector<Verdict>& verdicts) const override {
    SummaryHead head{std::string(all_rules_.name), profile_.name};
    for (const auto& verdict : verdicts) {
      head.num_unparsed += !verdict.parsed;
      head.num_not_scored += !verdict.scored;
      head.num_unknown += !verdict.known;
      head.num_judged += verdict.judged;
    }
    head.may_ask_judge = rules_.judge != nullptr;
    if (judge_.judge) {
      head.judge = judge_.judge->config().model;
      head.judge_prompt = judge_.prompt->fingerprint();
      if (judge_.chinese) head.judge_prompt += "+" + judge_.chinese->fingerprint();
    }
    std::vector<Figure> figures;
    if (head.num_not_scored == 0 && !verdicts.empty()) {
      figures = rules_.figures(verdicts);
    } else if (head.num_not_scored < std::ssize(verdicts)) {
      std::vector<Verdict> scored;
      for (const auto& verdict : verdicts) {
        if (verdict.scored) scored.push_back(verdict);
      }
      figures = rules_.figures(scored);
    }
    return make_summary(head, figures, std::ssize(verdicts));
  }

 private:
  static const Rules& chosen(const BenchmarkRules& rules, const Profile& profile) {
    std::string known;
    for (const auto& one : rules.rules) {
      if (one.community == profile.community) return one;
      for (const auto& entry : profiles()) {
        if (entry.community == one.community) known += concat(known.empty() ? "" : ", ", entry.name);
      }
    }
    fail("benchmark ", rules.name, " has no profile '", profile.name, "'; it has ", known);
  }

  /// Error for a row that lacks what the profile asks or matches with.
  void expect_form(const Item& one, int64_t row) const {
    if (rules_.needs_options && one.options.empty()) {
      fail(rows_.place(row), ": has no columns A, B, … with the options, which profile ", profile_.name,
           " matches answers with: take VLMEvalKit's table, or another --profile");
    }
    const auto prompt = one.row.find("prompt");
    if (is_asked_ && !rules_.prompts_in.empty() && (prompt == one.row.end() || !prompt->is_string())) {
      fail(rows_.place(row), ": has no 'prompt', which is what profile ", profile_.name, " asks: take ",
           rules_.prompts_in);
    }
  }

  /// Some tables have a few rows whose answer is none of the options: a warning. Error where all have.
  void tell_of_other_golds(const std::vector<char>& has_other_gold) const {
    const auto count = std::count(has_other_gold.begin(), has_other_gold.end(), 1);
    if (count == 0) return;
    const auto first = std::find(has_other_gold.begin(), has_other_gold.end(), 1) - has_other_gold.begin();
    const auto what =
        concat(rows_.place(first), ": the answer is ", to_utf8(item(first).golds[0]), ", and there is no such option");
    if (count == rows_.size()) fail(what);
    log_warning(concat(
        count, " of ", rows_.size(),
        " questions have an answer that is none of their options, which only that letter answers; the first: ", what));
  }

  /// The judge, if it is to be asked, and with what; the other prompt for questions with Chinese characters.
  struct Asking {
    std::shared_ptr<const Judge> judge;
    std::optional<JudgePrompt> prompt, chinese;
  };

  Asking prompts_of(const BenchmarkSource& source) const {
    if (!source.judge || rules_.judge == nullptr) return {};
    const auto& prompts = source.judge->config().prompts;
    const std::string name(all_rules_.name), &kind = rules_.judge->kind;
    const std::string plain[]{name, kind}, chinese[]{name + "-cn", kind + "-cn"};
    Asking asking{source.judge, prompts.find(plain), prompts.find(chinese)};
    if (asking.prompt) return asking;
    const auto lack = concat("benchmark ", name, ": the judge has no prompt: --judge-prompts ", prompts.path().string(),
                             " has no ", name, ".txt", kind == name ? "" : concat(", nor ", kind, ".txt"));
    if (rules_.judge->is_needed) fail(lack);
    log_warning(lack + "; scored without it");
    return {};
  }

  std::optional<JudgedAnswer> judged_answer(int64_t question, const Item& one) const {
    if (!judge_.judge) return std::nullopt;
    const auto is_chinese = [](char32_t c) { return c >= 0x4E00 && c <= 0x9FFF; };
    const Text text = to_text(one.question);
    const bool in_chinese = judge_.chinese && std::any_of(text.begin(), text.end(), is_chinese);
    return JudgedAnswer(*judge_.judge, in_chinese ? *judge_.chinese : *judge_.prompt, rules_.judge->tail,
                        [this, question] { return picture_urls(question); });
  }

  /// The question's pictures as data URLs.
  std::vector<std::string> picture_urls(int64_t question) const {
    std::vector<std::string> urls;
    const Json values = rows_.row(question);
    for (const auto& picture : all_rules_.pictures({rows_, question, values, images_}))
      urls.push_back(data_url(picture));
    return urls;
  }

  Item item(int64_t question) const {
    Json values = rows_.row(question);
    Item one = all_rules_.read({rows_, question, values, images_});
    one.row = std::move(values);
    if (is_hidden(one.golds)) one.golds.clear();
    return one;
  }

  const std::filesystem::path& path() const override { return rows_.path(); }
  int64_t size() const override { return rows_.size(); }
  std::string place(int64_t record) const override { return rows_.place(record); }
  Conversation read(int64_t record, bool) const override {
    const Json values = rows_.row(record);
    const RowReader row{rows_, record, values, images_};
    Item one = all_rules_.read(row);
    one.row = values;
    auto pictures = all_rules_.pictures(row);
    Turn user{Role::kUser, {}};
    std::string_view text;
    const auto prompt = rules_.prompt(one);
    text = prompt;
    if (rules_.interleaved) {
      place_pictures(text, pictures, user.contents);
    } else {
      for (auto& picture : pictures) user.contents.push_back(std::move(picture));
      user.contents.push_back({Content::Kind::kText, prompt, {}});
    }
    Conversation conversation{one.id, std::string(one.tag("category")), {std::move(user)}};
    conversation.images = images_;
    return conversation;
  }

  /// Text and pictures in the order of the markers; pictures without a marker in front.
  static void place_pictures(std::string_view text, std::vector<Content>& pictures, std::vector<Content>& contents) {
    std::vector<bool> placed(pictures.size());
    std::vector<Content> rest;
    std::string before;
    for (size_t i = 0; i < text.size();) {
      size_t number = 0;
      for (size_t k = 1; k <= pictures.size() && number == 0; ++k) {
        if (text.substr(i).starts_with(concat("<image ", k, ">"))) number = k;
      }
      if (number == 0) {
        before += text[i++];
        continue;
      }
      if (!before.empty()) rest.push_back({Content::Kind::kText, std::exchange(before, {}), {}});
      rest.push_back(pictures[number - 1]);
      placed[number - 1] = true;
      i += concat("<image ", number, ">").size();
    }
    if (!before.empty()) rest.push_back({Content::Kind::kText, before, {}});
    for (size_t i = 0; i < pictures.size(); ++i) {
      if (!placed[i]) contents.push_back(pictures[i]);
    }
    for (auto& content : rest) contents.push_back(std::move(content));
  }

  const BenchmarkRules& all_rules_;
  const Rules& rules_;
  const Profile& profile_;
  const bool is_asked_;
  const Asking judge_;
  Rows rows_;
  std::filesystem::path images_;
  std::vector<std::string> ids_;
};

}  // namespace

const Json* RowReader::find(Keys keys) const {
  for (const char* key : keys) {
    const auto found = values.find(key);
    if (found != values.end() && !found->is_null()) return &*found;
  }
  return nullptr;
}

std::string RowReader::text(Keys keys) const {
  const Json* value = find(keys);
  if (value == nullptr) fail(place(), ": ", listed(keys), " is missing");
  auto text = text_of_value(*value);
  if (!text) fail(place(), ": ", listed(keys), " is ", describe(*value), ", expected a text or a number");
  return *std::move(text);
}

std::string RowReader::text_or(Keys keys, std::string_view otherwise) const {
  return find(keys) == nullptr ? std::string(otherwise) : text(keys);
}

std::vector<std::string> RowReader::texts(Keys keys) const {
  const Json* value = find(keys);
  if (value == nullptr) fail(place(), ": ", listed(keys), " is missing");
  return texts_of_value(*value);
}

Options RowReader::options(Keys lists) const {
  Options options;
  for (const auto& [key, value] : values.items()) {  // in alphabetical order
    if (key.size() != 1 || key[0] < 'A' || key[0] > 'Z') continue;
    if (auto text = text_of_value(value)) options.push_back({to_text(key), to_text(*text)});
  }
  if (!options.empty() || find(lists) == nullptr) return options;
  std::vector<Text> all;
  for (const auto& one : texts(lists)) all.push_back(to_text(one));
  if (all.size() > kMostOptions) {
    fail(place(), ": ", listed(lists), " has ", all.size(), " options, expected at most ", kMostOptions);
  }
  return make_options(all);
}

std::vector<Content> RowReader::pictures(Keys keys) const {
  if (auto table = rows.table_pictures(number, images)) return *std::move(table);
  const Json held = rows.picture_values(number);
  std::vector<Content> all;
  const auto add = [&](const Json& from, const std::string& key) {
    const auto found = from.find(key);
    if (found == from.end() || is_no_picture(*found)) return false;
    const auto where = concat(place(), ", key '", key, "'");
    if (found->is_array()) {
      for (const auto& one : *found) all.push_back(picture_of_value(one, images, where));
    } else {
      all.push_back(picture_of_value(*found, images, where));
    }
    return true;
  };
  const auto is_held = [&](const char* key) { return add(held, key); };
  // Names of files may stand beside the pictures themselves.
  if (std::none_of(keys.begin(), keys.end(), is_held)) {
    std::any_of(keys.begin(), keys.end(), [&](const char* key) { return !held.contains(key) && add(values, key); });
  }
  for (int i = 1; i <= 16; ++i) {
    const auto key = concat("image_", i);
    add(held.contains(key) ? held : values, key);
  }
  return all;
}

std::string_view tag_of(const Tags& tags, std::string_view name) {
  for (const auto& [key, value] : tags) {
    if (key == name) return value;
  }
  return {};
}

std::string_view Item::tag(std::string_view name) const { return tag_of(tags, name); }

Mark right_or_wrong(bool right, TextView said) { return {to_utf8(said), right ? 1.0 : 0.0}; }

Mark mark_letter(const std::optional<Text>& letter, const Item& item) {
  if (!letter) return {"", 0, false};
  return right_or_wrong(std::find(item.golds.begin(), item.golds.end(), *letter) != item.golds.end(), *letter);
}

std::unique_ptr<Benchmark> open_items(const BenchmarkSource& source, const BenchmarkRules& rules) {
  return std::make_unique<ItemBenchmark>(source, rules);
}

}  // namespace vlsi
