// A model's answers on disk while questions are asked, so that who was stopped asks no question again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/directory_lock.h"
#include "base/json.h"
#include "eval/answers.h"
#include "ranks/ranks.h"

namespace vlsi {

/// A folder with a file for each group of questions that was answered, "000012.json", which is there whole or not at
/// all, and `asked.json`: what the answers depend on. An empty path is no folder: the answers are kept in memory.
class AnswerStore {
 public:
  /// Opens the folder, or begins it, with `group_records` questions in a group. Error that names the keys where its
  /// answers were asked otherwise than `asked` says, and where another process works in it. `profile` alone may differ:
  /// with other questions it would show in `questions`. Every rank opens it; the first holds the lock.
  AnswerStore(std::filesystem::path folder, const OrderedJson& asked, int64_t num_questions, int64_t group_records,
              const Ranks& ranks);

  /// Leaves no folder where no answer came into it.
  ~AnswerStore();

  /// The groups without answers, the same on every rank.
  const std::vector<int64_t>& missing() const { return missing_; }
  int64_t num_groups() const { return (num_questions_ + group_records_ - 1) / group_records_; }
  /// Questions of these groups.
  int64_t num_questions_of(const std::vector<int64_t>& groups) const;
  /// Questions of the groups that had answers when it was opened.
  int64_t num_known() const { return num_questions_ - num_questions_of(missing_); }

  void write(int64_t group, const AnswerGroup& answers);
  /// Removes the answers, for all of them were left out: the next start asks again.
  void forget();
  /// Whether there is a group on disk.
  bool has_answers() const;
  /// All answers, in the order of the questions; every group is there. Error for a file that is damaged.
  AnswerGroup read_all() const;

 private:
  std::filesystem::path file_of(int64_t group) const;
  void open(const OrderedJson& asked);
  std::vector<int64_t> find_missing() const;

  const std::filesystem::path folder_;
  const int64_t num_questions_, group_records_;
  std::unique_ptr<DirectoryLock> lock_;
  std::vector<int64_t> missing_;
  std::map<int64_t, AnswerGroup> in_memory_;  // of no folder
};

/// Removes a folder's answers, and the folder where nothing else is in it; nothing while a process works in it.
void remove_answers(const std::filesystem::path& folder);

}  // namespace vlsi
