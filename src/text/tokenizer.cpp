#include "text/tokenizer.h"

#include <algorithm>
#include <unordered_map>

#include "base/contains.h"
#include "base/error.h"
#include "base/utf8.h"
#include "text/added_tokens.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/nfc.h"
#include "text/pretokenizer.h"
#include "text/tokenizer_file.h"

namespace vlsi {

struct Tokenizer::State {
  struct Added {
    std::string bytes;
    bool special;
  };

  State(std::filesystem::path directory, TokenizerFile file);

  /// A text without the added tokens of raw text, as it came.
  void encode_raw(std::string_view text, SpecialText special_text, PreTokenizer::Words& words,
                  std::vector<int32_t>& ids) const;
  void encode_words(std::string_view text, PreTokenizer::Words& words, std::vector<int32_t>& ids) const;
  std::string_view bytes(int32_t id) const;

  std::filesystem::path directory;
  bool nfc;
  PreTokenizer pre_tokenizer;
  Bpe bpe;
  AddedTokens added_in_raw_text;
  AddedTokens added_in_normal_text;
  AddedTokens added_in_templates;  // of raw text, and what is special of normal text
  std::unordered_map<int32_t, Added> added_by_id;
  std::unordered_map<std::string, int32_t> added_by_content;
  std::string added_by_config;
  int64_t size;
  bool has_extra = false;
};

namespace {

/// Calls `rest(text)` for what lies between the matches, and appends the matches' ids.
template <class Rest>
void split_by(const AddedTokens& added, std::string_view text, SpecialText special_text, std::vector<int32_t>& ids,
              Rest rest) {
  size_t begin = 0, searched = 0;
  while (const auto match = added.find_in(text, searched)) {
    searched = match->end;
    if (match->special && special_text == SpecialText::kPlain) continue;
    if (match->begin > begin) rest(text.substr(begin, match->begin - begin));
    ids.push_back(match->id);
    begin = match->end;
  }
  if (begin < text.size()) rest(text.substr(begin));
}

std::string nfc_of(std::string_view text) {
  std::string result;
  append_nfc(text, result);
  return result;
}

}  // namespace

Tokenizer::State::State(std::filesystem::path path, TokenizerFile file)
    : directory(std::move(path)),
      nfc(file.nfc),
      pre_tokenizer(file.pattern, file.pattern_place),
      bpe(std::move(file.vocabulary), std::move(file.merges), file.ignore_merges),
      added_by_config(std::move(file.added_by_config)),
      size(bpe.vocabulary().size()) {
  std::vector<AddedToken> in_raw_text, in_normal_text, in_templates;
  for (AddedToken& token : file.added_tokens) {
    size = std::max<int64_t>(size, token.id + 1);
    // The library decodes added tokens, too, by the byte-level alphabet where they are in it.
    added_by_id[token.id] = {byte_level_decode(token.content).value_or(token.content), token.special};
    added_by_content[token.content] = token.id;
    if (nfc && token.normalized) token.content = nfc_of(token.content);
    if (token.special || !token.normalized) in_templates.push_back(token);
    (token.normalized ? in_normal_text : in_raw_text).push_back(std::move(token));
  }
  added_in_raw_text = AddedTokens(std::move(in_raw_text));
  added_in_normal_text = AddedTokens(std::move(in_normal_text));
  added_in_templates = AddedTokens(std::move(in_templates));
}

void Tokenizer::State::encode_words(std::string_view text, PreTokenizer::Words& words,
                                    std::vector<int32_t>& ids) const {
  words.start(text);
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) bpe.encode(word, ids);
}

void Tokenizer::State::encode_raw(std::string_view text, SpecialText special_text, PreTokenizer::Words& words,
                                  std::vector<int32_t>& ids) const {
  std::string normal;
  if (nfc && !is_plainly_nfc(text)) {
    append_nfc(text, normal);
    text = normal;
  }
  split_by(added_in_normal_text, text, special_text, ids,
           [&](std::string_view rest) { encode_words(rest, words, ids); });
}

std::string_view Tokenizer::State::bytes(int32_t id) const {
  if (const auto it = added_by_id.find(id); it != added_by_id.end()) return it->second.bytes;
  return bpe.vocabulary().bytes(id);
}

Tokenizer::Tokenizer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::filesystem::path& directory, const std::optional<Extra>& extra,
                          const std::vector<std::string_view>& control) {
  auto file = read_tokenizer_file(directory / "tokenizer.json");
  const auto num_added = file.added_tokens.size();
  if (extra) {
    const auto clashes = [&](const AddedToken& token) {
      return token.id == extra->id || token.content == extra->content;
    };
    if (extra->id >= file.vocabulary.size() &&
        std::none_of(file.added_tokens.begin(), file.added_tokens.end(), clashes))
      file.added_tokens.push_back({extra->content, extra->id, /*special=*/true, /*normalized=*/false});
  }
  const bool has_extra = file.added_tokens.size() > num_added;
  for (AddedToken& token : file.added_tokens) token.special |= contains(control, token.content);
  auto state = std::make_unique<State>(directory, std::move(file));
  state->has_extra = has_extra;
  return Tokenizer(std::move(state));
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, SpecialText special_text) const {
  if (const size_t place = find_invalid_utf8(text); place != std::string_view::npos) {
    fail("encoding text: byte ", place, " of ", text.size(), " is not UTF-8");
  }
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 3 + 1);
  PreTokenizer::Words words(state_->pre_tokenizer);
  split_by(state_->added_in_raw_text, text, special_text, ids,
           [&](std::string_view rest) { state_->encode_raw(rest, special_text, words, ids); });
  return ids;
}

std::vector<Tokenizer::Piece> Tokenizer::split_at_added(std::string_view text,
                                                        const std::function<bool(size_t)>& is_control) const {
  const AddedTokens& added = is_control ? state_->added_in_templates : state_->added_in_raw_text;
  std::vector<Piece> pieces;
  size_t begin = 0, searched = 0;
  while (const auto match = added.find_in(text, searched)) {
    if (match->special && is_control && !is_control(match->begin)) {
      // Where it reaches into control bytes, it must not hide a token that begins there.
      searched = is_control(match->end - 1) ? match->begin + 1 : match->end;
      continue;
    }
    if (match->begin > begin) pieces.push_back({begin, match->begin, {}});
    pieces.push_back({match->begin, match->end, match->id});
    begin = searched = match->end;
  }
  if (begin < text.size()) pieces.push_back({begin, text.size(), {}});
  return pieces;
}

std::string Tokenizer::normalized(std::string_view text) const {
  return state_->nfc && !is_plainly_nfc(text) ? nfc_of(text) : std::string(text);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special) const {
  std::string bytes;
  for (const int32_t id : ids) {
    if (!skip_special || !is_special(id)) bytes += state_->bytes(id);
  }
  return replace_invalid_utf8(bytes);
}

std::string Tokenizer::bytes(int32_t id) const { return std::string(state_->bytes(id)); }

bool Tokenizer::is_special(int32_t id) const {
  const auto it = state_->added_by_id.find(id);
  return it != state_->added_by_id.end() && it->second.special;
}

std::optional<int32_t> Tokenizer::find(std::string_view token) const {
  if (const auto it = state_->added_by_content.find(std::string(token)); it != state_->added_by_content.end()) {
    return it->second;
  }
  const auto bytes = byte_level_decode(token);
  return bytes ? state_->bpe.vocabulary().find(*bytes) : std::nullopt;
}

int32_t Tokenizer::require(std::string_view token) const {
  if (const auto id = find(token)) return *id;
  fail("tokenizer in ", directory().string(), ": token '", token, "' is not in the vocabulary");
}

bool Tokenizer::has_extra() const { return state_->has_extra; }

const std::string& Tokenizer::added_by_config() const { return state_->added_by_config; }

int64_t Tokenizer::size() const { return state_->size; }

int64_t Tokenizer::num_pieces() const {
  const auto& vocabulary = state_->bpe.vocabulary();
  auto last = static_cast<int32_t>(vocabulary.size()) - 1;
  while (last >= 0 && (vocabulary.bytes(last).empty() || state_->added_by_id.contains(last))) --last;
  return last + 1;
}

const std::filesystem::path& Tokenizer::directory() const { return state_->directory; }

std::string TextStream::push(int32_t id) {
  if (tokenizer_.is_special(id)) return "";
  pending_ += tokenizer_.bytes(id);
  const size_t num_whole = pending_.size() - unfinished_bytes(pending_);
  std::string text = replace_invalid_utf8(std::string_view(pending_).substr(0, num_whole));
  pending_.erase(0, num_whole);
  return text;
}

std::string TextStream::finish() {
  std::string text = replace_invalid_utf8(pending_);
  pending_.clear();
  return text;
}

}  // namespace vlsi
