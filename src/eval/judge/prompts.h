// The texts that ask a judge, from files of the user: they are the communities', and part of what a score means.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace vlsi {

/// What a prompt says about an answer: the texts behind {question}, {answer}, {prediction} and {options}.
struct JudgeFields {
  std::string question, answer, prediction, options;
};

/// A file's prompt, and the system message beside it, if there is one.
struct JudgePrompt {
  std::string name;  // of the file without its ending
  std::string text, system;

  /// The texts in the places of their names in braces; behind a prompt that names none stands `tail`. Other braces
  /// stay.
  std::string filled(const JudgeFields& fields, std::string_view tail) const;
  std::string filled_system(const JudgeFields& fields) const;
  /// 16 hexadecimal digits over both texts.
  std::string fingerprint() const;
};

/// A file, which is every prompt that is asked for, or a folder of files NAME.txt with, for a system message,
/// NAME-system.txt. White space at the ends of a file is dropped.
class JudgePrompts {
 public:
  JudgePrompts() = default;
  /// Error where there is nothing.
  explicit JudgePrompts(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  /// The first of the names that there is a file of. Error for an empty file.
  std::optional<JudgePrompt> find(std::span<const std::string> names) const;

 private:
  std::filesystem::path path_;
};

}  // namespace vlsi
