// A model's answers on disk while questions are asked, so that who was stopped asks no question again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/directory_lock.h"
#include "base/json.h"
#include "eval/answers.h"
#include "ranks/ranks.h"

namespace vlsi {

/// A folder with a file for each group of questions that was answered, "000012.json", which is there whole or not at
/// all, and `asked.json`: what the answers depend on.
class AnswerStore {
 public:
  /// Opens the folder, or begins it. Error that names the keys where its answers were asked otherwise than `asked`
  /// says, and where another process works in it. `profile` alone may differ: with other questions it would show in
  /// `questions`. Every rank opens it; the first holds the lock.
  AnswerStore(std::filesystem::path folder, const OrderedJson& asked, int64_t num_questions, const Ranks& ranks);

  /// The groups without answers, the same on every rank.
  const std::vector<int64_t>& missing() const { return missing_; }
  int64_t num_groups() const { return (num_questions_ + kGroupRecords - 1) / kGroupRecords; }
  /// Questions of the groups that had answers when it was opened.
  int64_t num_known() const;

  void write(int64_t group, const AnswerGroup& answers) const;
  /// All answers, in the order of the questions; every group is there. Error for a file that is damaged.
  AnswerGroup read_all() const;

 private:
  std::filesystem::path file_of(int64_t group) const;
  void open(const OrderedJson& asked);
  std::vector<int64_t> find_missing() const;

  const std::filesystem::path folder_;
  const int64_t num_questions_;
  std::unique_ptr<DirectoryLock> lock_;
  std::vector<int64_t> missing_;
};

}  // namespace vlsi
