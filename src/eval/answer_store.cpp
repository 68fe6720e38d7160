#include "eval/answer_store.h"

#include <algorithm>
#include <utility>

#include "base/atomic_file.h"
#include "base/settings.h"
#include "base/settings_difference.h"

namespace vlsi {
namespace {

constexpr const char *kAsked = "asked.json", *kSkips = "skips_bad_records";
constexpr const char* kOtherwise = "the answers that are there were asked otherwise";

OrderedJson answer_json(const Answer& answer) {
  return {
      {"question", answer.record}, {"answer", answer.text}, {"tokens", answer.num_tokens}, {"stopped", answer.stopped}};
}

AnswerGroup read_group(const std::filesystem::path& path) {
  const auto place = path.string();
  const Json json = read_json(path);
  AnswerGroup group;
  for (const auto& one : require<Json>(json, "answers", place)) {
    group.answers.push_back({require<int64_t>(one, "question", place), require<std::string>(one, "answer", place),
                             require<int64_t>(one, "tokens", place), require<bool>(one, "stopped", place)});
  }
  group.left_out.count = require<int64_t>(json, "left_out", place);
  group.left_out.reasons = require<std::vector<std::string>>(json, "reasons", place);
  return group;
}

/// The files of groups.
std::vector<std::filesystem::path> groups_in(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> groups;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator(folder, gone)) {
    const auto name = entry.path().stem().string();
    const bool is_number = name.size() >= 6 && name.find_first_not_of("0123456789") == name.npos;
    if (is_number && entry.path().extension() == ".json") groups.push_back(entry.path());
  }
  return groups;
}

}  // namespace

void remove_answers(const std::filesystem::path& folder) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) return;
  const auto lock = DirectoryLock::try_to_lock(folder, "answering");
  if (!lock) return;
  auto files = groups_in(folder);
  // What says how they were asked goes behind them, so that a kill leaves no answers that could be taken for others.
  for (const char* last : {kAsked, DirectoryLock::kFile}) files.push_back(folder / last);
  for (const auto& file : files) std::filesystem::remove(file, ignored);
  std::filesystem::remove(folder, ignored);
}

AnswerStore::AnswerStore(std::filesystem::path folder, const OrderedJson& asked, int64_t num_questions,
                         int64_t group_records, const Ranks& ranks)
    : folder_(std::move(folder)), num_questions_(num_questions), group_records_(group_records) {
  std::string found;
  if (ranks.is_first()) {
    try {
      if (!folder_.empty()) open(asked);
    } catch (...) {
      const bool is_ours = std::exchange(lock_, nullptr) != nullptr;
      if (is_ours && !has_answers()) remove_answers(folder_);
      throw;
    }
    found = Json(find_missing()).dump();
  }
  // Files of a network's file system may be seen late: the ranks share what the first one saw.
  missing_ = Json::parse(ranks.all_gather(found)[0]).get<std::vector<int64_t>>();
}

AnswerStore::~AnswerStore() {
  if (!lock_ || has_answers()) return;
  lock_.reset();
  remove_answers(folder_);
}

void AnswerStore::forget() {
  lock_.reset();
  if (!folder_.empty()) remove_answers(folder_);
}

void AnswerStore::open(const OrderedJson& asked) {
  make_directories(folder_);
  check_writable(folder_);
  lock_ = std::make_unique<DirectoryLock>(folder_, "answering");
  remove_leftovers(folder_);
  const auto path = folder_ / kAsked;
  if (!has_answers()) return write_json(path, asked);
  const auto before = read_json(path);
  const auto difference = [&](const std::vector<std::string>& free_keys) {
    return settings_difference(parse_yaml(before.dump(), path.string()), parse_yaml(asked.dump(), "asked"), free_keys);
  };
  // Answers that left nothing out are those of a start that would have.
  const bool skips_now = before.value(kSkips, true) == false && asked.value(kSkips, false) == true;
  if (difference({"profile", skips_now ? kSkips : "profile"}).empty()) {
    if (skips_now) write_json(path, asked);
    return;
  }
  const auto length = [](const Json& json) { return json.value("/decoding/max_new_tokens"_json_pointer, int64_t{0}); };
  const auto as_before = length(before) == length(asked) ? "" : concat(" (--max-new-tokens ", length(before), ")");
  fail(path.string(), ": ", kOtherwise, ": ", difference({}), "; ask again as before", as_before,
       ", choose another --out, or remove ", folder_.string());
}

bool AnswerStore::has_answers() const { return !groups_in(folder_).empty(); }

std::vector<int64_t> AnswerStore::find_missing() const {
  std::vector<int64_t> missing;
  for (int64_t group = 0; group < num_groups(); ++group) {
    if (folder_.empty() || !std::filesystem::exists(file_of(group))) missing.push_back(group);
  }
  return missing;
}

int64_t AnswerStore::num_questions_of(const std::vector<int64_t>& groups) const {
  int64_t count = 0;
  for (const int64_t group : groups) count += std::min(group_records_, num_questions_ - group * group_records_);
  return count;
}

std::filesystem::path AnswerStore::file_of(int64_t group) const {
  const auto number = std::to_string(group);
  return folder_ / concat(std::string(6 - std::min<size_t>(6, number.size()), '0'), number, ".json");
}

void AnswerStore::write(int64_t group, const AnswerGroup& answers) {
  if (folder_.empty()) return void(in_memory_.emplace(group, answers));
  OrderedJson json{{"answers", OrderedJson::array()}};
  for (const auto& answer : answers.answers) json["answers"].push_back(answer_json(answer));
  json["left_out"] = answers.left_out.count;
  json["reasons"] = answers.left_out.reasons;
  write_file(file_of(group), json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace) + "\n");
}

AnswerGroup AnswerStore::read_all() const {
  AnswerGroup all;
  for (int64_t group = 0; group < num_groups(); ++group) {
    auto one = folder_.empty() ? in_memory_.at(group) : read_group(file_of(group));
    std::move(one.answers.begin(), one.answers.end(), std::back_inserter(all.answers));
    all.left_out.add(std::move(one.left_out));
  }
  return all;
}

}  // namespace vlsi
