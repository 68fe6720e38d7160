#include "checkpoint/gguf_tokenizer.h"

#include "base/quoted.h"
#include "text/byte_level.h"
#include "text/chat_template.h"
#include "text/pretokenizer.h"
#include "text/tokenizer_file.h"

namespace vlsi {
namespace {

constexpr std::string_view kQwen2Pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// llama.cpp's numbers for kinds of tokens.
enum TokenKind : int32_t { kNormal = 1, kControl = 3, kUserDefined = 4, kUnused = 5 };

std::string pre_tokenizer_name(const TokenizerFile& file) {
  if (file.pattern == kQwen2Pattern) return "qwen2";
  if (file.pattern == kGpt2Pattern) return "gpt-2";
  fail(file.pattern_place, ": is ", quoted(file.pattern), ", expected Qwen2's pattern or GPT-2's, which llama.cpp has");
}

/// llama.cpp hides control tokens from the text and reads their text as them; files do not always mark them special.
bool looks_like_control(const std::string& content) { return content.starts_with("<|") && content.ends_with("|>"); }

void add_tokens(const TokenizerFile& file, size_t num_rows, const std::string& place, std::vector<GgufEntry>& entries) {
  std::vector<std::string> tokens(num_rows);
  std::vector<int32_t> kinds(num_rows, kUnused);
  const auto check = [&](int64_t id, const std::string& token) {
    if (id >= static_cast<int64_t>(num_rows))
      fail(place, ": token ", quoted(token), " has id ", id, ", the model's embedding ", num_rows, " rows");
  };
  for (int64_t id = 0; id < file.vocabulary.size(); ++id) {
    const auto& bytes = file.vocabulary.bytes(static_cast<int32_t>(id));
    if (bytes.empty()) continue;
    check(id, bytes);
    tokens[static_cast<size_t>(id)] = byte_level_encode(bytes);
    kinds[static_cast<size_t>(id)] = kNormal;
  }
  for (const auto& token : file.added_tokens) {
    check(token.id, token.content);
    tokens[static_cast<size_t>(token.id)] = token.content;
    kinds[static_cast<size_t>(token.id)] = token.special || looks_like_control(token.content) ? kControl : kUserDefined;
  }
  for (size_t id = 0; id < num_rows; ++id) {
    if (kinds[id] == kUnused) tokens[id] = concat("[PAD", id, "]");
  }
  entries.push_back({"tokenizer.ggml.tokens", std::move(tokens)});
  entries.push_back({"tokenizer.ggml.token_type", std::move(kinds)});
}

std::vector<std::string> merge_texts(const TokenizerFile& file) {
  std::vector<std::string> merges;
  merges.reserve(file.merges.size());
  const auto spelling = [&](int32_t id) { return byte_level_encode(file.vocabulary.bytes(id)); };
  for (const auto& merge : file.merges) merges.push_back(spelling(merge.left) + " " + spelling(merge.right));
  return merges;
}

}  // namespace

std::vector<GgufEntry> gguf_tokenizer_entries(const std::filesystem::path& directory, const ModelConfig& config) {
  const auto path = directory / "tokenizer.json";
  const auto file = read_tokenizer_file(path);
  if (file.ignore_merges) fail(path.string(), ": key 'ignore_merges' is true, which llama.cpp does not read");
  std::vector<GgufEntry> entries{{"tokenizer.ggml.model", std::string("gpt2")},
                                 {"tokenizer.ggml.pre", pre_tokenizer_name(file)}};
  add_tokens(file, static_cast<size_t>(config.text.vocab_size), path.string(), entries);
  entries.push_back({"tokenizer.ggml.merges", merge_texts(file)});
  const auto add_id = [&](const std::string& name, int64_t id) {
    entries.push_back({"tokenizer.ggml." + name, static_cast<uint32_t>(id)});
  };
  add_id("bos_token_id", config.bos_token_id);
  add_id("padding_token_id", config.bos_token_id);
  add_id("eos_token_id", config.eos_token_ids.front());
  if (config.eos_token_ids.size() > 1) add_id("eot_token_id", config.eos_token_ids[1]);
  entries.push_back({"tokenizer.ggml.add_bos_token", false});
  if (const auto chat = ChatTemplate::load(directory)) entries.push_back({"tokenizer.chat_template", chat->source()});
  return entries;
}

}  // namespace vlsi
