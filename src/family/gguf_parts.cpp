#include "family/gguf_parts.h"

#include <algorithm>

#include "base/error.h"

namespace vlsi {
namespace {

/// The number that `*` stands for ("" without one) where `name` is the pattern or, for one with a dot at its end,
/// begins with it; `rest` is what follows.
std::optional<std::string> match_pattern(std::string_view pattern, std::string_view name, std::string_view& rest) {
  std::string number;
  const size_t star = pattern.find('*');
  if (star != pattern.npos) {
    if (!name.starts_with(pattern.substr(0, star))) return std::nullopt;
    name.remove_prefix(star);
    const auto digits = std::min(name.find_first_not_of("0123456789"), name.size());
    number = name.substr(0, digits);
    if (number.empty()) return std::nullopt;
    name.remove_prefix(digits);
    pattern.remove_prefix(star + 1);
  }
  if (!name.starts_with(pattern)) return std::nullopt;
  rest = name.substr(pattern.size());
  if (!pattern.ends_with('.') && !rest.empty()) return std::nullopt;
  return number;
}

}  // namespace

std::optional<GgufRule> find_gguf_rule(const std::vector<GgufRule>& rules, std::string_view own) {
  for (auto rule : rules) {
    std::string_view rest;
    const auto number = match_pattern(rule.own, own, rest);
    if (!number) continue;
    for (auto& name : rule.names) {
      if (const size_t star = name.find('*'); star != name.npos) name.replace(star, 1, *number);
      name += rest;
    }
    return rule;
  }
  return std::nullopt;
}

std::vector<GgufEntry> gguf_decoder_entries(const TextConfig& text, const std::string& architecture, bool has_head_size,
                                            const std::string& place) {
  const auto number = [](int64_t value) { return static_cast<uint32_t>(value); };
  const auto key = [&](const char* name) { return architecture + "." + name; };
  if (!has_head_size && text.head_dim() * text.num_attention_heads != text.hidden_size) {
    fail(place, ": ", text.num_attention_heads, " heads of ", text.head_dim(), " do not share the width ",
         text.hidden_size, ", as llama.cpp expects of ", architecture);
  }
  std::vector<GgufEntry> entries{{key("block_count"), number(text.num_hidden_layers)},
                                 {key("context_length"), number(text.max_position_embeddings)},
                                 {key("embedding_length"), number(text.hidden_size)},
                                 {key("feed_forward_length"), number(text.intermediate_size)},
                                 {key("attention.head_count"), number(text.num_attention_heads)},
                                 {key("attention.head_count_kv"), number(text.num_key_value_heads)},
                                 {key("attention.key_length"), number(text.head_dim())},
                                 {key("attention.value_length"), number(text.head_dim())},
                                 {key("attention.layer_norm_rms_epsilon"), static_cast<float>(text.rms_norm_eps)},
                                 {key("rope.freq_base"), static_cast<float>(text.rope_theta)},
                                 {key("vocab_size"), number(text.vocab_size)}};
  if (text.num_axes() > 1) {
    std::vector<int32_t> sections(text.rope_sections.begin(), text.rope_sections.end());
    sections.resize(4);
    entries.push_back({key("rope.dimension_sections"), std::move(sections)});
  }
  return entries;
}

std::vector<GgufRule> gguf_decoder_rules() {
  std::vector<GgufRule> rules{{"embeddings.weight", {"token_embd.weight"}},
                              {"decoder.norm.weight", {"output_norm.weight"}},
                              {"head.weight", {"output.weight"}}};
  constexpr std::pair<const char*, const char*> kOfLayers[] = {
      {"input_layernorm.", "attn_norm."},    {"post_attention_layernorm.", "ffn_norm."},
      {"self_attn.q_proj.", "attn_q."},      {"self_attn.k_proj.", "attn_k."},
      {"self_attn.v_proj.", "attn_v."},      {"self_attn.o_proj.", "attn_output."},
      {"self_attn.q_norm.", "attn_q_norm."}, {"self_attn.k_norm.", "attn_k_norm."},
      {"mlp.gate_proj.", "ffn_gate."},       {"mlp.up_proj.", "ffn_up."},
      {"mlp.down_proj.", "ffn_down."}};
  for (const auto& [own, name] : kOfLayers) {
    rules.push_back({concat("decoder.layers.*.", own), {concat("blk.*.", name)}});
  }
  return rules;
}

}  // namespace vlsi
