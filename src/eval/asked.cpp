#include "eval/asked.h"

#include <algorithm>
#include <array>

#include "base/checksum.h"
#include "base/parallel.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kEndings{".safetensors", ".json", ".jinja", ".txt", ".model", ".bin"};

/// Where a picture is below the folder that paths start in: data may be moved with it.
std::string place_of(const Content& picture, const fs::path& images) {
  const auto below = images.empty() ? fs::path() : picture.image.lexically_relative(images);
  return below.empty() || *below.begin() == ".." ? picture.image.string() : below.string();
}

std::string fingerprint_of(const Conversation& conversation) {
  Checksum checksum;
  const auto add = [&](std::string_view kind, std::string_view text) {
    checksum.update(concat(kind, ' ', text.size(), ' '));
    checksum.update(text);
  };
  for (const auto& turn : conversation.turns) {
    add("role", std::to_string(static_cast<int>(turn.role)));
    for (const auto& content : turn.contents) {
      if (content.kind == Content::Kind::kText) {
        add("text", content.text);
      } else {
        const auto& held = content.picture_file;
        add("picture", held.empty() ? place_of(content, conversation.images) : held);
      }
    }
  }
  return hexadecimal(checksum.value());
}

}  // namespace

std::string fingerprint_of_questions(const Records& questions, bool skips) {
  std::vector<std::string> each(static_cast<size_t>(questions.size()));
  constexpr int64_t kOfAThread = 16;
  parallel_for(0, questions.size(), kOfAThread, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      try {
        each[static_cast<size_t>(i)] = fingerprint_of(questions.read(i, false));
      } catch (const Error&) {
        if (!skips) throw;
        each[static_cast<size_t>(i)] = "unreadable";  // whatever the path that its error begins with
      }
    }
  });
  Checksum all;
  for (const auto& one : each) all.update(one + "\n");
  return hexadecimal(all.value());
}

std::string fingerprint_of_directory(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    const auto ending = entry.path().extension().string();
    if (entry.is_regular_file() && std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end()) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  Checksum all;
  for (const auto& file : files) all.update(concat(file.filename().string(), ' ', checksum_of_file(file), '\n'));
  return hexadecimal(all.value());
}

OrderedJson data_json(const fs::path& data) {
  if (fs::is_directory(data)) return {{"name", (data / "").parent_path().filename().string()}};
  return {{"name", data.filename().string()}, {"bytes", fs::file_size(data)}, {"checksum", checksum_of_file(data)}};
}

OrderedJson decoding_json(const Decoding& decoding) {
  return {{"max_new_tokens", decoding.max_new_tokens},
          {"min_new_tokens", decoding.min_new_tokens},
          {"stop_tokens", decoding.stop_tokens},
          {"stop", decoding.stop},
          {"num_beams", decoding.num_beams},
          {"length_penalty", decoding.length_penalty},
          {"early_stopping", text_of(decoding.early_stopping)},
          {"sample", decoding.sample},
          {"temperature", decoding.temperature},
          {"top_k", decoding.top_k},
          {"top_p", decoding.top_p},
          {"min_p", decoding.min_p},
          {"seed", decoding.seed},
          {"repetition_penalty", decoding.repetition_penalty},
          {"presence_penalty", decoding.presence_penalty},
          {"frequency_penalty", decoding.frequency_penalty},
          {"no_repeat_ngram_size", decoding.no_repeat_ngram_size},
          {"suppress_tokens", decoding.suppress_tokens},
          {"bad_words_ids", decoding.bad_words_ids}};
}

}  // namespace vlsi
