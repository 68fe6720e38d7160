#include "checkpoint/adapter.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "base/problems.h"
#include "base/safetensors_writer.h"
#include "checkpoint/adapter_config.h"
#include "checkpoint/finite_weights.h"
#include "family/family.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "adapter_config.json";
constexpr const char* kWeightsFile = "adapter_model.safetensors";
constexpr std::string_view kPeftPrefix = "base_model.model.", kA = ".lora_A.weight", kB = ".lora_B.weight";
constexpr std::string_view kModuleNaming = "gen-2";  // every family's, of the modules of transformers from 4.52 on

using LinearMaps = std::vector<std::pair<std::string, Linear*>>;  // with their paths
using Naming = std::function<std::string(const std::string&)>;    // a path of this program to one of the file

LinearMaps linear_maps(const Vlm& model) {
  LinearMaps maps;
  model.for_each_module([&](const std::string& name, Module& module) {
    if (auto* linear = dynamic_cast<Linear*>(&module)) maps.emplace_back(name, linear);
  });
  return maps;
}

/// The two factors of one adapter.
struct Factors {
  at::Tensor a, b;
};

/// What an adapter's tensor is called without its beginning and its kind, "model.layers.0.self_attn.q_proj", and which
/// factor it is; nothing for other names.
struct FactorName {
  std::string path;
  bool is_a;
};

std::optional<FactorName> factor_name(std::string name) {
  // The name that an adapter has in a running model may stand behind the factor's.
  if (const size_t at = name.find(".default.weight"); at != name.npos) name.erase(at, std::strlen(".default"));
  const bool is_a = name.ends_with(kA), is_b = name.ends_with(kB);
  if (!name.starts_with(kPeftPrefix) || (!is_a && !is_b) || name.size() < kPeftPrefix.size() + kA.size())
    return std::nullopt;
  return FactorName{name.substr(kPeftPrefix.size(), name.size() - kPeftPrefix.size() - kA.size()), is_a};
}

/// The file's tensors by the path of their linear map in the naming that is written; those with other names are
/// problems.
std::map<std::string, Factors> read_factors(const SafetensorsFile& file, const Family& family, Problems& problems) {
  std::map<std::string, Factors> factors;
  for (const auto& [name, info] : file.tensors()) {
    const auto found = factor_name(name);
    if (!found) {
      problems.add("unexpected ", name);
      continue;
    }
    const auto own = family.own_name(found->path);
    const auto path = own && !own->empty() ? family.written_name(*own) : found->path;
    auto& factor = found->is_a ? factors[path].a : factors[path].b;
    if (factor.defined()) problems.add("two tensors are named ", path, found->is_a ? kA : kB);
    factor = file.tensor(name);
  }
  return factors;
}

/// What `names` call the module; nothing where they do not have it, as those of a model without a head.
std::optional<std::string> path_in(const WeightNames& names, const std::string& own) {
  const bool has_it = std::any_of(names.prefixes.begin(), names.prefixes.end(), [&](const auto& prefix) {
    return !prefix.second.empty() && (own + ".").starts_with(prefix.second);
  });
  return has_it ? std::optional(stored_name(names, own)) : std::nullopt;
}

/// The naming that the adapter's configuration speaks of: that of most of its tensors, or, where its targets are none
/// of these by it, another one by which they are some.
const WeightNames& naming_in_use(const SafetensorsFile& file, const Family& family, const AdapterConfig& config) {
  struct Candidate {
    const WeightNames* names;
    int64_t num_named = 0, num_targeted = 0;  // tensors that it names so; whose map the configuration then means
  };
  std::vector<Candidate> candidates;
  for (const auto& names : family.namings) {
    Candidate candidate{&names};
    for (const auto& [name, info] : file.tensors()) {
      const auto found = factor_name(name);
      const auto own = found ? family.own_name(found->path) : std::nullopt;
      if (!own || own->empty()) continue;
      const auto path = path_in(names, *own);
      candidate.num_named += path == found->path;
      candidate.num_targeted += path && config.targets(*path);
    }
    candidates.push_back(candidate);
  }
  return *std::max_element(candidates.begin(), candidates.end(), [](const Candidate& x, const Candidate& y) {
            return std::pair(x.num_targeted > 0, x.num_named) < std::pair(y.num_targeted > 0, y.num_named);
          })->names;
}

/// What is wrong with the factors of the map at `path`; empty when nothing is.
std::string misfit(const Factors& factors, const Linear& linear, int64_t rank, const std::string& path) {
  if (!factors.a.defined()) return concat("missing ", path, kA);
  if (!factors.b.defined()) return concat("missing ", path, kB);
  const std::vector<int64_t> a{rank, linear.weight().size(1)}, b{linear.weight().size(0), rank};
  if (factors.a.sizes() != a) return concat(path, kA, " is ", factors.a.sizes(), ", expected ", at::IntArrayRef(a));
  if (factors.b.sizes() != b) return concat(path, kB, " is ", factors.b.sizes(), ", expected ", at::IntArrayRef(b));
  if (!factors.a.is_floating_point() || !factors.b.is_floating_point())
    return concat(path, ": its factors are no floating point numbers");
  return "";
}

/// The last parts of the adapted maps' paths, by which PEFT finds them, where these stand for no other module of the
/// model, be it a linear map or not, and are no numbers of a list; else whole paths.
std::set<std::string> target_names(const Vlm& model, const Naming& named) {
  std::set<std::string> names, others, paths;
  model.for_each_module([&](const std::string& own, Module& module) {
    const auto* linear = dynamic_cast<Linear*>(&module);
    const bool is_adapted = linear != nullptr && linear->has_lora();
    const auto path = linear != nullptr ? named(own) : own;  // namings change beginnings alone
    (is_adapted ? names : others).insert(path.substr(path.rfind('.') + 1));
    if (is_adapted) paths.insert(path);
  });
  const bool is_exact = std::none_of(names.begin(), names.end(), [&](const auto& name) {
    return others.contains(name) || name.find_first_not_of("0123456789") == name.npos;
  });
  return is_exact ? names : paths;
}

Json number(double value) { return value == std::floor(value) ? Json(static_cast<int64_t>(value)) : Json(value); }

Json describe_adapters(const Vlm& model, const LinearMaps& maps, const std::string& base_model, const Naming& named) {
  using Size = std::pair<int64_t, double>;  // rank, alpha
  const auto size_of = [](const Linear& linear) {
    const int64_t rank = linear.lora_a().size(0);
    return Size(rank, linear.lora_scale() * static_cast<double>(rank));
  };
  std::map<Size, int> counts;
  for (const auto& [path, linear] : maps) {
    if (linear->has_lora()) ++counts[size_of(*linear)];
  }
  const Size usual = std::max_element(counts.begin(), counts.end(), [](const auto& x, const auto& y) {
                       return x.second < y.second;
                     })->first;
  Json ranks = Json::object(), alphas = Json::object();
  for (const auto& [path, linear] : maps) {
    if (!linear->has_lora()) continue;
    const auto [rank, alpha] = size_of(*linear);
    if (rank != usual.first) ranks[named(path)] = rank;
    if (alpha != usual.second) alphas[named(path)] = number(alpha);
  }
  return {{"peft_type", "LORA"},
          {"task_type", "CAUSAL_LM"},
          {"base_model_name_or_path", base_model},
          {"revision", nullptr},
          {"inference_mode", true},
          {"r", usual.first},
          {"lora_alpha", number(usual.second)},
          {"lora_dropout", 0.0},
          {"bias", "none"},
          {"fan_in_fan_out", false},
          {"init_lora_weights", true},
          {"modules_to_save", nullptr},
          {"layers_to_transform", nullptr},
          {"layers_pattern", nullptr},
          {"target_modules", target_names(model, named)},
          {"rank_pattern", ranks},
          {"alpha_pattern", alphas},
          {"use_rslora", false},
          {"use_dora", false}};
}

}  // namespace

void load_adapter(Vlm& model, const fs::path& directory) {
  const auto path = directory / kConfigFile;
  const auto config = AdapterConfig::parse(MappedFile::open(path)->text(), path.string());
  if (!fs::exists(directory / kWeightsFile) && fs::exists(directory / "adapter_model.bin")) {
    fail("loading the adapter in ", directory.string(), ": found adapter_model.bin, expected ", kWeightsFile);
  }
  Problems problems;
  const auto& family = family_of(model.config());
  const auto file = SafetensorsFile::open(directory / kWeightsFile);
  auto factors = read_factors(*file, family, problems);
  const auto& naming = naming_in_use(*file, family, config);
  const auto maps = linear_maps(model);
  struct Fit {
    Linear* linear;
    Factors factors;
    double scale;
  };
  std::vector<Fit> fits;
  for (const auto& [own, linear] : maps) {
    if (linear->has_lora()) fail("loading the adapter in ", directory.string(), ": the model has adapters already");
    const auto name = family.written_name(own);
    const auto named = path_in(naming, own);
    const auto found = factors.extract(name);
    if (!named || !config.targets(*named)) {
      if (found) problems.add(name, " has an adapter, but target_modules does not name it");
      continue;
    }
    if (!found && config.is_by_expression()) continue;  // PEFT leaves such a map as it is, too
    const auto fit = found ? found.mapped() : Factors{};
    const auto wrong =
        own == "head" ? "an adapter of " + name + " is not supported" : misfit(fit, *linear, config.rank(*named), name);
    if (wrong.empty()) {
      fits.push_back({linear, fit, config.scale(*named)});
    } else {
      problems.add(wrong);
    }
  }
  for (const auto& [name, unknown] : factors) problems.add("the model has no linear map ", name);
  if (fits.empty() && problems.count() == 0) problems.add("target_modules names no linear map of the model");
  problems.fail_if_any("loading the adapter in ", directory.string(), ": it does not fit the model: ", problems.count(),
                       " problem(s): ");
  for (const auto& [linear, fit, scale] : fits) linear->set_lora(fit.a, fit.b, scale);
}

void save_adapter(const fs::path& directory, const Vlm& model, const std::string& base_model,
                  const std::string& naming) {
  const auto& namings = family_of(model.config()).namings;
  const auto found = std::find_if(namings.begin(), namings.end(), [&](const auto& names) {
    return names.name == (naming.empty() ? kModuleNaming : naming);
  });
  if (found == namings.end()) {
    std::string known;
    for (const auto& names : namings) known += concat(known.empty() ? "" : ", ", names.name);
    fail("writing an adapter to ", directory.string(), ": the naming is '", naming, "', expected one of ", known);
  }
  const Naming named = [&](const std::string& own) { return stored_name(*found, own); };
  const auto maps = linear_maps(model);
  std::vector<TensorSource> sources;
  for (const auto& [path, linear] : maps) {
    if (!linear->has_lora()) continue;
    const auto prefix = std::string(kPeftPrefix) + named(path);
    for (const auto& [kind, factor] : {std::pair(kA, linear->lora_a()), std::pair(kB, linear->lora_b())}) {
      check_finite_weight(factor, named(path) + std::string(kind), "writing an adapter to " + directory.string());
      sources.push_back(source_of(prefix + std::string(kind), factor));
    }
  }
  TORCH_CHECK(!sources.empty(), "the model has no adapters");
  AtomicDirectory out(directory);
  write_json(out.path() / kConfigFile, OrderedJson(describe_adapters(model, maps, base_model, named)));
  stream_safetensors(out.path() / kWeightsFile, sources);
  out.commit();
}

}  // namespace vlsi
