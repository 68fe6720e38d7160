#include "text/tokenizer_file.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <map>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "base/json.h"
#include "base/quoted.h"
#include "text/byte_level.h"
#include "text/pretokenizer.h"

namespace vlsi {
namespace {

// Far above any vocabulary: a wrong id must not become an allocation of gigabytes.
constexpr int64_t kMaxIds = int64_t{1} << 24;

const Json& part(const Json& object, const char* key) {
  static const Json nothing;
  const auto it = object.find(key);
  return it == object.end() ? nothing : *it;
}

void check_keys(const Json& object, const std::string& place, std::initializer_list<std::string_view> known) {
  if (!object.is_object()) fail(place, ": found ", describe(object), ", expected an object");
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) fail(place, ": key '", key, "' is not supported");
  }
}

/// Checks that `object` is one of type `type`, with no other keys than `known`.
void check_type(const Json& object, const std::string& place, std::string_view type,
                std::initializer_list<std::string_view> known) {
  if (!object.is_object()) fail(place, ": found ", describe(object), ", expected type '", type, "'");
  const auto found = vlsi::require<std::string>(object, "type", place);
  if (found != type) fail(place, ": found type '", found, "', expected '", type, "'");
  check_keys(object, place, known);
}

void refuse_unless_false(const Json& object, const std::string& place, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    if (vlsi::find<bool>(object, key, place).value_or(false))
      fail(place, ": key '", key, "' is true, supported is false");
  }
}

/// A ByteLevel part; returns whether it cuts by GPT-2's pattern (missing: yes, as in the library).
bool read_byte_level(const Json& object, const std::string& place) {
  check_type(object, place, "ByteLevel", {"type", "add_prefix_space", "trim_offsets", "use_regex"});
  return vlsi::find<bool>(object, "use_regex", place).value_or(true);
}

void read_pre_tokenizer(const Json& object, const std::string& place, TokenizerFile& file) {
  const std::string type = object.is_object() ? vlsi::find<std::string>(object, "type", place).value_or("") : "";
  if (type == "ByteLevel") {
    if (!read_byte_level(object, place)) fail(place, ": key 'use_regex' is false and no Split stands before");
    refuse_unless_false(object, place, {"add_prefix_space"});
    file.pattern = kGpt2Pattern;
    file.pattern_place = place;
    return;
  }
  check_type(object, place, "Sequence", {"type", "pretokenizers"});
  const Json& sequence = part(object, "pretokenizers");
  if (!sequence.is_array() || sequence.size() != 2) fail(place, ": expected a Sequence of Split and ByteLevel");
  const std::string split_place = place + ": pretokenizers[0]";
  check_type(sequence[0], split_place, "Split", {"type", "pattern", "behavior", "invert"});
  check_keys(part(sequence[0], "pattern"), split_place + ": pattern", {"Regex"});
  file.pattern_place = split_place + ": pattern";
  file.pattern = vlsi::require<std::string>(part(sequence[0], "pattern"), "Regex", file.pattern_place);
  const auto behavior = vlsi::require<std::string>(sequence[0], "behavior", split_place);
  if (behavior != "Isolated") fail(split_place, ": found behavior '", behavior, "', expected 'Isolated'");
  refuse_unless_false(sequence[0], split_place, {"invert"});
  const std::string byte_level_place = place + ": pretokenizers[1]";
  if (read_byte_level(sequence[1], byte_level_place)) fail(byte_level_place, ": key 'use_regex' is true after a Split");
  refuse_unless_false(sequence[1], byte_level_place, {"add_prefix_space"});
}

int32_t read_id(const Json& value, const std::string& place, std::string_view token) {
  if (!value.is_number_integer())
    fail(place, ": the id of '", token, "' is ", describe(value), ", expected an integer");
  const bool fits = value.is_number_unsigned() ? value.get<uint64_t>() < static_cast<uint64_t>(kMaxIds)
                                               : value.get<int64_t>() >= 0 && value.get<int64_t>() < kMaxIds;
  if (!fits) fail(place, ": the id of '", token, "' is ", value.dump(), ", expected 0 to ", kMaxIds - 1);
  return value.get<int32_t>();
}

std::vector<AddedToken> read_added_tokens(const Json& array, const std::string& place) {
  std::vector<AddedToken> tokens;
  if (array.is_null()) return tokens;
  if (!array.is_array()) fail(place, ": found ", describe(array), ", expected an array");
  std::unordered_set<std::string> contents;
  std::unordered_set<int32_t> ids;
  for (size_t i = 0; i < array.size(); ++i) {
    const std::string here = place + "[" + std::to_string(i) + "]";
    check_keys(array[i], here, {"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    AddedToken token;
    token.content = vlsi::require<std::string>(array[i], "content", here);
    if (token.content.empty()) fail(here, ": the content is empty");
    token.id = read_id(part(array[i], "id"), here, token.content);
    token.special = vlsi::find<bool>(array[i], "special", here).value_or(false);
    token.normalized = vlsi::find<bool>(array[i], "normalized", here).value_or(true);
    refuse_unless_false(array[i], here, {"single_word", "lstrip", "rstrip"});
    if (!contents.insert(token.content).second) fail(here, ": '", token.content, "' was added before");
    if (!ids.insert(token.id).second) fail(here, ": id ", token.id, " was added before");
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// An id as the key of an object.
int32_t read_key(const std::string& key, const std::string& place) {
  int32_t id = -1;
  std::from_chars(key.data(), key.data() + key.size(), id);
  if (id < 0 || id >= kMaxIds || std::to_string(id) != key)
    fail(place, ": found key '", printable(key), "', expected an id, 0 to ", kMaxIds - 1);
  return id;
}

/// Adds the tokens of `decoder`, added_tokens_decoder of tokenizer_config.json, that `file` lacks. transformers adds
/// them in the order of their ids; one that is not in `vocab` gets the next id, whatever its own, which must be the
/// same.
void add_config_tokens(const Json& decoder, const std::string& place, const Json& vocab, TokenizerFile& file) {
  if (!decoder.is_object()) fail(place, ": found ", describe(decoder), ", expected an object");
  std::map<int32_t, const Json*> entries;
  for (const auto& [key, entry] : decoder.items()) entries[read_key(key, place)] = &entry;
  auto next = static_cast<int32_t>(vocab.size());
  for (const AddedToken& token : file.added_tokens) next = std::max(next, token.id + 1);
  for (const auto& [id, entry] : entries) {
    const std::string here = concat(place, ": ", id);
    AddedToken token{vlsi::require<std::string>(*entry, "content", here), id};
    if (token.content.empty()) fail(here, ": the content is empty");
    const auto refuse_beside = [&](std::string_view content, const std::string& other_id) {
      fail(here, ": is '", token.content, "', but '", content, "' with id ", other_id, " is in the tokenizer already");
    };
    const auto same = std::find_if(file.added_tokens.begin(), file.added_tokens.end(), [&](const AddedToken& other) {
      return other.id == id || other.content == token.content;
    });
    if (same != file.added_tokens.end()) {
      if (same->id != id || same->content != token.content) refuse_beside(same->content, std::to_string(same->id));
      continue;
    }
    token.special = vlsi::find<bool>(*entry, "special", here).value_or(false);
    token.normalized = vlsi::find<bool>(*entry, "normalized", here).value_or(!token.special);
    refuse_unless_false(*entry, here, {"single_word", "lstrip", "rstrip"});
    if (const auto piece = vocab.find(token.content); piece != vocab.end()) {
      if (*piece != id) refuse_beside(token.content, piece->dump());
    } else if (id == next) {
      ++next;
    } else {
      const auto other = std::find(vocab.begin(), vocab.end(), Json(id));
      if (other != vocab.end()) refuse_beside(other.key(), std::to_string(id));
      fail(here, ": is '", token.content, "', to which transformers gives the next id, expected ", next);
    }
    file.added_by_config +=
        concat(id, token.special ? " special" : "", token.normalized ? " normalized " : " ", token.content, "\n");
    file.added_tokens.push_back(std::move(token));
  }
}

Vocabulary read_vocabulary(const Json& vocab, const std::string& place, const std::vector<AddedToken>& added_tokens) {
  if (!vocab.is_object()) fail(place, ": found ", describe(vocab), ", expected an object");
  std::unordered_map<std::string_view, int32_t> added;
  for (const AddedToken& token : added_tokens) added.emplace(token.content, token.id);

  std::vector<const std::string*> spellings;
  for (auto it = vocab.begin(); it != vocab.end(); ++it) {
    const int32_t id = read_id(it.value(), place, it.key());
    if (it.key().empty()) fail(place, ": the token with id ", id, " is empty");
    if (id >= spellings.size()) spellings.resize(id + 1);
    if (spellings[id]) fail(place, ": '", *spellings[id], "' and '", it.key(), "' both have id ", id);
    spellings[id] = &it.key();
    const auto same = added.find(it.key());
    if (same != added.end() && same->second != id) {
      fail(place, ": '", it.key(), "' has id ", id, ", but as an added token ", same->second);
    }
  }
  for (const AddedToken& token : added_tokens) {
    if (token.id < spellings.size() && spellings[token.id] && *spellings[token.id] != token.content) {
      fail(place, ": '", *spellings[token.id], "' has id ", token.id, ", and so has added token '", token.content, "'");
    }
  }
  std::vector<std::string> tokens(spellings.size());
  for (size_t id = 0; id < spellings.size(); ++id) {
    if (!spellings[id]) continue;
    if (auto bytes = byte_level_decode(*spellings[id])) {
      tokens[id] = *std::move(bytes);
    } else if (!added.contains(*spellings[id])) {
      fail(place, ": '", *spellings[id], "' is not in the byte-level alphabet");
    }
  }
  Vocabulary vocabulary(std::move(tokens));
  for (int byte = 0; byte < 256; ++byte) {
    const std::string bytes(1, static_cast<char>(byte));
    if (!vocabulary.find(bytes)) fail(place, ": no token for byte ", byte, " ('", byte_level_encode(bytes), "')");
  }
  return vocabulary;
}

std::vector<Merge> read_merges(const Json& array, const std::string& place, const Vocabulary& vocabulary) {
  if (!array.is_array()) fail(place, ": found ", describe(array), ", expected an array");
  std::vector<Merge> merges;
  merges.reserve(array.size());
  for (size_t i = 0; i < array.size(); ++i) {
    const auto here = [&] { return place + "[" + std::to_string(i) + "]"; };
    std::string_view left, right;
    if (array[i].is_string()) {
      const std::string_view pair = array[i].get_ref<const std::string&>();
      const size_t space = pair.find(' ');
      if (space == std::string_view::npos || pair.find(' ', space + 1) != std::string_view::npos) {
        fail(here(), ": found '", pair, "', expected two tokens with a space between them");
      }
      left = pair.substr(0, space);
      right = pair.substr(space + 1);
    } else if (array[i].is_array() && array[i].size() == 2 && array[i][0].is_string() && array[i][1].is_string()) {
      left = array[i][0].get_ref<const std::string&>();
      right = array[i][1].get_ref<const std::string&>();
    } else {
      fail(here(), ": found ", describe(array[i]), ", expected a string or a pair of strings");
    }
    const auto look_up = [&](const std::string& spelling) {
      const auto bytes = byte_level_decode(spelling);
      const auto id = bytes ? vocabulary.find(*bytes) : std::nullopt;
      if (!id) fail(here(), ": token '", spelling, "' is not in the vocabulary");
      return *id;
    };
    const std::string l(left), r(right);
    merges.push_back({look_up(l), look_up(r), look_up(l + r)});
  }
  return merges;
}

}  // namespace

TokenizerFile read_tokenizer_file(const std::filesystem::path& path) {
  const Json json = read_json(path);
  const std::string place = path.string();
  // How it was last called when it was saved is no part of what it does: `truncation` and `padding` are passed over.
  check_keys(json, place,
             {"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
              "decoder", "model"});
  TokenizerFile file;
  if (!part(json, "normalizer").is_null()) {
    check_type(json["normalizer"], place + ": normalizer", "NFC", {"type"});
    file.nfc = true;
  }
  read_pre_tokenizer(part(json, "pre_tokenizer"), place + ": pre_tokenizer", file);
  if (!part(json, "post_processor").is_null()) read_byte_level(json["post_processor"], place + ": post_processor");
  read_byte_level(part(json, "decoder"), place + ": decoder");

  const std::string model_place = place + ": model";
  const Json& model = part(json, "model");
  check_type(model, model_place, "BPE",
             {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
              "byte_fallback", "ignore_merges", "vocab", "merges"});
  if (vlsi::find<double>(model, "dropout", model_place).value_or(0) != 0)
    fail(model_place, ": key 'dropout' is not zero");
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!vlsi::find<std::string>(model, key, model_place).value_or("").empty()) {
      fail(model_place, ": key '", key, "' is not empty");
    }
  }
  refuse_unless_false(model, model_place, {"byte_fallback"});
  file.ignore_merges = vlsi::find<bool>(model, "ignore_merges", model_place).value_or(false);
  file.added_tokens = read_added_tokens(part(json, "added_tokens"), place + ": added_tokens");
  const auto config = path.parent_path() / "tokenizer_config.json";
  if (const Json& vocab = part(model, "vocab"); vocab.is_object() && std::filesystem::exists(config)) {
    const std::string key = "added_tokens_decoder";
    const auto decoder = vlsi::find<Json>(read_json(config), key, config.string());
    if (decoder) add_config_tokens(*decoder, concat(config.string(), ": ", key), vocab, file);
  }
  file.vocabulary = read_vocabulary(part(model, "vocab"), model_place + ": vocab", file.added_tokens);
  file.merges = read_merges(part(model, "merges"), model_place + ": merges", file.vocabulary);
  return file;
}

}  // namespace vlsi
