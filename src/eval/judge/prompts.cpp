#include "eval/judge/prompts.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/checksum.h"
#include "base/error.h"
#include "base/mapped_file.h"

namespace vlsi {
namespace {

using Places = std::array<std::pair<std::string_view, const std::string*>, 4>;

Places places_of(const JudgeFields& fields) {
  return {{{"{question}", &fields.question},
           {"{answer}", &fields.answer},
           {"{prediction}", &fields.prediction},
           {"{options}", &fields.options}}};
}

bool names_a_field(std::string_view text) {
  const auto places = places_of({});
  return std::any_of(places.begin(), places.end(),
                     [&](const auto& place) { return text.find(place.first) != text.npos; });
}

/// In one go: a text that is put in is not looked at.
std::string fill(std::string_view text, const JudgeFields& fields) {
  std::string filled;
  const auto places = places_of(fields);
  for (size_t i = 0; i < text.size();) {
    const auto place = std::find_if(places.begin(), places.end(),
                                    [&](const auto& one) { return text.substr(i).starts_with(one.first); });
    if (place == places.end()) {
      filled += text[i++];
    } else {
      filled += *place->second;
      i += place->first.size();
    }
  }
  return filled;
}

std::string read_text(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  auto text = file->text();
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  constexpr const char* kSpace = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == text.npos) fail(path.string(), ": is empty, expected the prompt of a judge");
  return std::string(text.substr(first, text.find_last_not_of(kSpace) + 1 - first));
}

}  // namespace

std::string JudgePrompt::filled(const JudgeFields& fields, std::string_view tail) const {
  return names_a_field(text) ? fill(text, fields) : text + fill(tail, fields);
}

std::string JudgePrompt::filled_system(const JudgeFields& fields) const { return fill(system, fields); }

std::string JudgePrompt::fingerprint() const {
  Checksum checksum;
  checksum.update(concat(text.size(), ' ', text, system));
  return hexadecimal(checksum.value());
}

JudgePrompts::JudgePrompts(std::filesystem::path path) : path_(std::move(path)) {
  if (!std::filesystem::exists(path_)) {
    fail("the judge's prompts: there is no ", path_.string(), ", expected a file or a folder of files");
  }
}

std::optional<JudgePrompt> JudgePrompts::find(std::span<const std::string> names) const {
  if (path_.empty()) return std::nullopt;
  if (!std::filesystem::is_directory(path_)) return JudgePrompt{path_.stem().string(), read_text(path_), ""};
  for (const auto& name : names) {
    const auto file = path_ / (name + ".txt"), system = path_ / (name + "-system.txt");
    if (!std::filesystem::exists(file)) continue;
    return JudgePrompt{name, read_text(file), std::filesystem::exists(system) ? read_text(system) : ""};
  }
  return std::nullopt;
}

}  // namespace vlsi
