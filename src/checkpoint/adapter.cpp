#include "checkpoint/adapter.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "base/atomic_file.h"
#include "base/problems.h"
#include "base/safetensors_writer.h"
#include "checkpoint/adapter_config.h"
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

/// The file's tensors by the path of their linear map in the naming that is written; those with other names are
/// problems.
std::map<std::string, Factors> read_factors(const SafetensorsFile& file, const Family& family, Problems& problems) {
  std::map<std::string, Factors> factors;
  for (const auto& [name, info] : file.tensors()) {
    const bool is_a = name.ends_with(kA), is_b = name.ends_with(kB);
    if (!name.starts_with(kPeftPrefix) || (!is_a && !is_b) || name.size() < kPeftPrefix.size() + kA.size()) {
      problems.add("unexpected ", name);
      continue;
    }
    const auto stored = name.substr(kPeftPrefix.size(), name.size() - kPeftPrefix.size() - kA.size());
    const auto own = family.own_name(stored);
    const auto path = own && !own->empty() ? family.written_name(*own) : stored;
    auto& factor = is_a ? factors[path].a : factors[path].b;
    if (factor.defined()) problems.add("two tensors are named ", path, is_a ? kA : kB);
    factor = file.tensor(name);
  }
  return factors;
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
/// model; else whole paths.
std::set<std::string> target_names(const LinearMaps& maps, const Naming& named) {
  std::set<std::string> names, others{"proj"}, paths;  // the patch embedding, no linear map, is called proj
  for (const auto& [path, linear] : maps) {
    if (linear->has_lora()) paths.insert(named(path));
    const auto stored = named(path);
    (linear->has_lora() ? names : others).insert(stored.substr(stored.rfind('.') + 1));
  }
  const bool is_exact =
      std::none_of(names.begin(), names.end(), [&](const auto& name) { return others.contains(name); });
  return is_exact ? names : paths;
}

Json number(double value) { return value == std::floor(value) ? Json(static_cast<int64_t>(value)) : Json(value); }

Json describe_adapters(const LinearMaps& maps, const std::string& base_model, const Naming& named) {
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
          {"target_modules", target_names(maps, named)},
          {"rank_pattern", ranks},
          {"alpha_pattern", alphas},
          {"use_rslora", false},
          {"use_dora", false}};
}

}  // namespace

void load_adapter(Vlm& model, const fs::path& directory) {
  const auto path = directory / kConfigFile;
  const auto config = AdapterConfig::parse(read_json(path), path.string());
  if (!fs::exists(directory / kWeightsFile) && fs::exists(directory / "adapter_model.bin")) {
    fail("loading the adapter in ", directory.string(), ": found adapter_model.bin, expected ", kWeightsFile);
  }
  Problems problems;
  const auto& family = family_of(model.config());
  auto factors = read_factors(*SafetensorsFile::open(directory / kWeightsFile), family, problems);
  const auto maps = linear_maps(model);
  struct Fit {
    Linear* linear;
    Factors factors;
    double scale;
  };
  std::vector<Fit> fits;
  for (const auto& [own, linear] : maps) {
    if (linear->has_lora()) fail("loading the adapter in ", directory.string(), ": the model has adapters already");
    ModulePaths paths;
    for (const auto& names : family.namings) paths.push_back(stored_name(names, own));
    const auto& name = paths.front();
    const auto found = factors.extract(name);
    if (!config.targets(paths)) {
      if (found) problems.add(name, " has an adapter, but target_modules does not name it");
      continue;
    }
    const auto fit = found ? found.mapped() : Factors{};
    const auto wrong =
        own == "head" ? "an adapter of " + name + " is not supported" : misfit(fit, *linear, config.rank(paths), name);
    if (wrong.empty()) {
      fits.push_back({linear, fit, config.scale(paths)});
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
    sources.push_back(source_of(prefix + std::string(kA), linear->lora_a()));
    sources.push_back(source_of(prefix + std::string(kB), linear->lora_b()));
  }
  TORCH_CHECK(!sources.empty(), "the model has no adapters");
  AtomicDirectory out(directory);
  write_json(out.path() / kConfigFile, OrderedJson(describe_adapters(maps, base_model, named)));
  stream_safetensors(out.path() / kWeightsFile, sources);
  out.commit();
}

}  // namespace vlsi
