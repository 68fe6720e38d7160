#include "checkpoint/cut_down.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>
#include <string>

#include "base/error.h"
#include "base/safetensors.h"
#include "checkpoint/load.h"
#include "model/parts.h"

namespace vlsi {
namespace {

using Channels = std::vector<int64_t>;

Channels first_channels(int64_t count) {
  Channels channels(count);
  std::iota(channels.begin(), channels.end(), 0);
  return channels;
}

/// Of a head of `from` those that a head of `to` has. Channel i of a head's first half turns with channel i of its
/// second; where the sections do not take turns, each keeps its first frequencies.
Channels head_channels(const TextConfig& from, const TextConfig& to) {
  Channels frequencies;
  if (from.rope_is_interleaved) {
    frequencies = first_channels(to.head_dim() / 2);
  } else {
    int64_t start = 0;
    for (size_t section = 0; section < to.rope_sections.size(); ++section) {
      for (int64_t i = 0; i < to.rope_sections[section]; ++i) frequencies.push_back(start + i);
      start += from.rope_sections[section];
    }
  }
  Channels channels = frequencies;
  for (const auto frequency : frequencies) channels.push_back(from.head_dim() / 2 + frequency);
  return channels;
}

/// The rows of these heads.
Channels rows_of_heads(const Channels& heads, int64_t source_head_dim, const Channels& of_one) {
  Channels rows;
  for (const auto head : heads)
    for (const auto channel : of_one) rows.push_back(head * source_head_dim + channel);
  return rows;
}

/// The query heads that `to` has of those of `from`: of each key's head that is kept the first ones, so that they read
/// the key that they read there. Where `to` has more of them to a key, the rest are heads of other keys.
Channels query_heads(const TextConfig& from, const TextConfig& to) {
  const int64_t group = to.num_attention_heads / to.num_key_value_heads,
                source_group = from.num_attention_heads / from.num_key_value_heads;
  int64_t other = to.num_key_value_heads * source_group;
  Channels heads;
  for (int64_t key = 0; key < to.num_key_value_heads; ++key)
    for (int64_t i = 0; i < group; ++i) heads.push_back(i < source_group ? key * source_group + i : other++);
  return heads;
}

class Cut {
 public:
  Cut(const ModelConfig& from, const ModelConfig& to, std::string where)
      : from_(from.text), to_(to.text), where_(std::move(where)) {
    check(from.family == to.family, "the family", from.family, to.family);
    check(from_.num_axes() == to_.num_axes(), "the axes of positions", from_.num_axes(), to_.num_axes());
    const auto at_most = [&](int64_t TextConfig::*field, const char* what) {
      check(to_.*field <= from_.*field, what, from_.*field, to_.*field);
    };
    at_most(&TextConfig::num_hidden_layers, "num_hidden_layers");
    at_most(&TextConfig::num_attention_heads, "num_attention_heads");
    at_most(&TextConfig::num_key_value_heads, "num_key_value_heads");
    for (size_t axis = 0; axis < to_.rope_sections.size(); ++axis) {
      check(to_.rope_sections[axis] <= from_.rope_sections[axis], "a rotary section", from_.rope_sections[axis],
            to_.rope_sections[axis]);
    }
    head_ = head_channels(from_, to_);
  }

  /// The name in the source of what is `name` here.
  std::string source_name(const std::string& name) const {
    constexpr std::string_view kLayers = "decoder.layers.";
    if (!name.starts_with(kLayers)) return name;
    const auto dot = name.find('.', kLayers.size());
    const int64_t layer = std::stoll(name.substr(kLayers.size(), dot - kLayers.size()));
    const double step = to_.num_hidden_layers == 1 ? 0
                                                   : static_cast<double>(from_.num_hidden_layers - 1) /
                                                         static_cast<double>(to_.num_hidden_layers - 1);
    return concat(kLayers, std::llround(static_cast<double>(layer) * step), name.substr(dot));
  }

  at::Tensor of(const std::string& name, at::Tensor source, const std::vector<int64_t>& shape) const {
    check(source.dim() == static_cast<int64_t>(shape.size()), name + ", the number of axes", source.dim(),
          static_cast<int64_t>(shape.size()));
    const bool is_map = source.dim() == 2 && part_of(name) != "embeddings";
    const double scale = is_map ? std::sqrt(static_cast<double>(source.size(1)) / static_cast<double>(shape[1])) : 1;
    for (int64_t axis = 0; axis < source.dim(); ++axis) {
      const auto kept = channels(name, axis, shape[axis]);
      check(kept.back() < source.size(axis), name + ", axis " + std::to_string(axis), source.size(axis), shape[axis]);
      source = source.index_select(axis, at::tensor(kept));
    }
    return source * scale;
  }

 private:
  Channels channels(const std::string& name, int64_t axis, int64_t size) const {
    const auto of_heads = [&](const Channels& heads) { return rows_of_heads(heads, from_.head_dim(), head_); };
    const auto is = [&](std::string_view module) { return name.find(module) != std::string::npos; };
    if (part_of(name) != "decoder") return first_channels(size);
    if (axis == 0 && is(".q_proj.")) return of_heads(query_heads(from_, to_));
    if (axis == 0 && (is(".k_proj.") || is(".v_proj."))) return of_heads(first_channels(to_.num_key_value_heads));
    if (axis == 1 && is(".o_proj.")) return of_heads(query_heads(from_, to_));
    return is("q_norm.") || is("k_norm.") ? head_ : first_channels(size);
  }

  template <typename Value>
  void check(bool holds, const std::string& what, const Value& from, const Value& to) const {
    if (!holds) fail("cutting down ", where_, ": ", what, " is ", from, " there and ", to, " in the new model");
  }

  TextConfig from_, to_;
  std::string where_;
  Channels head_;
};

/// What the tower's weights do not show.
std::string tower_settings(const ModelConfig& config) {
  const auto& family = family_of(config);
  return concat(family.make_tower(config)->settings_text(), " (", family.display_name, ")");
}

}  // namespace

void take_vision_tower(std::vector<TensorSource>& weights, const ModelConfig& config,
                       const std::filesystem::path& directory) {
  const auto checkpoint = Checkpoint::open(directory);
  const auto from = load_model_config(directory);
  const auto& family = family_of(from);
  Problems problems;
  const auto names = stored_names(checkpoint, family, problems);
  problems.fail_if_any("taking the vision tower of ", directory.string(), ": ", problems.count(), " problem(s): ");
  for (auto& weight : weights) {
    if (part_of(weight.name) != "vision") continue;
    const auto found = names.find(weight.name);
    if (found == names.end() || checkpoint.info(found->second).shape != weight.shape ||
        !at::isFloatingType(checkpoint.info(found->second).dtype)) {
      fail("taking the vision tower of ", directory.string(), ": it has no ", family.written_name(weight.name),
           " of shape ", at::IntArrayRef(weight.shape));
    }
    weight.make = [dtype = weight.dtype, tensor = checkpoint.tensor(found->second)] { return tensor.to(dtype); };
  }
  if (const auto found = tower_settings(from), wanted = tower_settings(config); found != wanted)
    fail("taking the vision tower of ", directory.string(), ": it has ", found, "; expected ", wanted);
}

void cut_down(std::vector<TensorSource>& weights, const ModelConfig& config, const std::filesystem::path& directory) {
  const auto from = load_model_config(directory);
  const Cut cut(from, config, directory.string());
  take_vision_tower(weights, config, directory);
  const auto checkpoint = Checkpoint::open(directory);
  Problems problems;
  const auto names = stored_names(checkpoint, family_of(from), problems);
  problems.fail_if_any("cutting down ", directory.string(), ": ", problems.count(), " problem(s): ");
  for (auto& weight : weights) {
    if (part_of(weight.name) == "vision") continue;
    auto source = cut.source_name(weight.name);
    if (part_of(source) == "head" && from.text.tie_word_embeddings) source = "embeddings.weight";
    const auto found = names.find(source);
    if (found == names.end() || !at::isFloatingType(checkpoint.info(found->second).dtype)) {
      fail("cutting down ", directory.string(), ": it has no ", family_of(from).written_name(source));
    }
    weight.make = [=, name = weight.name, shape = weight.shape, dtype = weight.dtype,
                   tensor = checkpoint.tensor(found->second)] {
      return cut.of(name, tensor.to(at::kFloat), shape).to(dtype);
    };
  }
}

}  // namespace vlsi
