// vlsi inspect: what is in a folder that this program, or the ecosystem, wrote.
#include <iostream>

#include "base/dtype.h"
#include "base/hub_cache.h"
#include "base/json.h"
#include "base/safetensors.h"
#include "base/size_text.h"
#include "cli/commands.h"
#include "family/family.h"
#include "run/student.h"
#include "teacher/cache_format.h"
#include "teacher/verbalizers.h"
#include "train/run_directory.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

/// As --dtype has it, where it can.
std::string short_name(at::ScalarType dtype) {
  const bool is_common = dtype == at::kFloat || dtype == at::kBFloat16 || dtype == at::kHalf;
  return is_common ? dtype_name(dtype) : c10::toString(dtype);
}

struct Contents {
  int64_t num_tensors = 0, num_values = 0, num_bytes = 0;
  std::map<std::string, int64_t> values_by_dtype;

  void add(const TensorInfo& info) {
    const auto values = static_cast<int64_t>(vlsi::num_values(info));
    ++num_tensors;
    num_values += values;
    num_bytes += static_cast<int64_t>(info.end - info.begin);
    values_by_dtype[short_name(info.dtype)] += values;
  }
  void print() const {
    std::cout << "  tensors     " << num_tensors << "\n  values      " << num_values << " (";
    bool first = true;
    for (const auto& [dtype, values] : values_by_dtype)
      std::cout << (std::exchange(first, false) ? "" : ", ") << values << " " << dtype;
    std::cout << ")\n  size        " << size_text(num_bytes) << "\n";
  }
};

void inspect_model(const fs::path& directory) {
  const auto config = load_model_config(directory);
  const auto& text = config.text;
  std::cout << directory.string() << ": a " << family_of(config).display_name << " model\n"
            << "  decoder     " << text.num_hidden_layers << " layers x " << text.hidden_size << ", heads "
            << text.num_attention_heads << "/" << text.num_key_value_heads << ", FFN " << text.intermediate_size << "\n"
            << "  vocabulary  " << text.vocab_size << " rows, head " << (text.tie_word_embeddings ? "tied" : "separate")
            << "\n"
            << "  vision      " << config.own->tower_text() << "\n";
  const auto checkpoint = Checkpoint::open(directory);
  Contents contents;
  for (const auto& name : checkpoint.names()) contents.add(checkpoint.info(name));
  contents.print();
}

void inspect_verbalizers(const fs::path& directory) {
  const auto [config, layers, backbone] = read_verbalizers_description(directory);
  std::cout << directory.string() << ": verbalizers (" << config.architecture->name
            << (config.residual ? ", residual" : "") << (config.final_norm ? ", final norm" : "")
            << ")\n  layers      ";
  for (const int64_t layer : layers) std::cout << layer << " ";
  std::cout << "\n  backbone    " << backbone.num_layers << " layers x " << backbone.width << ", head " << backbone.head
            << "\n";
  Contents contents;
  const auto file = SafetensorsFile::open(directory / "verbalizers.safetensors");
  for (const auto& [name, info] : file->tensors()) contents.add(info);
  contents.print();
}

void inspect_cache(const fs::path& directory) {
  const auto description = read_description(directory);
  const auto& origin = description.origin;
  const auto format = record_format(origin);
  const int64_t per_position = format.bytes_per_row();
  const RecordShards records(directory, format);
  std::cout << directory.string() << ": a teacher cache" << (description.complete ? "" : ", not complete")
            << "\n  layers      ";
  for (const int64_t layer : origin.layers) std::cout << layer << " ";
  std::cout << "and the last one\n  rows        float16 x " << origin.width << ", of " << origin.shared_rows
            << " vocabulary rows\n"
            << (origin.blank.empty() ? "" : "  advantage   over " + origin.blank + "\n") << "  samples     "
            << records.num_records() << " with " << records.num_rows() << " answer positions, in "
            << records.num_shards() << " shards\n"
            << "  size        " << size_text(records.num_rows() * per_position) << ", " << per_position
            << " bytes a position\n"
            << "  teacher     " << origin.teacher << ", dtype " << origin.dtype << "\n"
            << "  verbalizers " << origin.teacher_verbalizers << "\n  student     head " << origin.student_head << "\n"
            << "  input       tokenizer " << origin.tokenizer << ", chat template " << origin.chat_template << "\n"
            << "  pictures    " << origin.pre_processing << "\n"
            << "  teacher's   tokenizer " << origin.teacher_tokenizer << ", chat template "
            << origin.teacher_chat_template << "\n  pictures    " << origin.teacher_pre_processing << "\n";
}

void inspect_adapter(const fs::path& directory) {
  const auto path = directory / "adapter_config.json";
  const auto config = read_json(path);
  const auto targets = require<Json>(config, "target_modules", path.string());
  std::cout << directory.string() << ": an adapter (" << require<std::string>(config, "peft_type", path.string())
            << ")\n  base        "
            << find<std::string>(config, "base_model_name_or_path", path.string()).value_or("unknown")
            << "\n  rank        " << require<int64_t>(config, "r", path.string()) << ", alpha "
            << require<double>(config, "lora_alpha", path.string()) << "\n  targets     ";
  if (targets.is_string()) std::cout << targets.get<std::string>();
  for (const auto& target : targets.is_array() ? targets : Json::array())
    std::cout << (target.is_string() ? target.get<std::string>() : target.dump()) << " ";
  std::cout << "\n";
  Contents contents;
  const auto file = SafetensorsFile::open(directory / "adapter_model.safetensors");
  for (const auto& [name, info] : file->tensors()) contents.add(info);
  contents.print();
}

void inspect_run(const fs::path& directory) {
  std::cout << directory.string() << ": a run\n";
  std::ifstream metrics(directory / kRunMetricsFile);
  std::map<std::string, std::pair<int64_t, double>> steps;  // iterations and last loss
  std::vector<std::string> order;
  int64_t number = 0;
  for (std::string line; std::getline(metrics, line) && !metrics.eof();) {
    const auto place = concat((directory / kRunMetricsFile).string(), ", line ", ++number);
    const auto json = parse_json(line, place);
    const auto step = require<std::string>(json, "step", place);
    const auto loss = find<double>(json, "loss", place);
    if (!loss) continue;
    if (steps.count(step) == 0) order.push_back(step);
    steps[step] = {find<int64_t>(json, "iteration", place).value_or(0), *loss};
  }
  for (const auto& step : order) {
    std::cout << "  " << step << ": " << steps[step].first << " iterations, last loss " << steps[step].second << "\n";
  }
  if (fs::is_directory(directory / kCheckpointsFolder)) {
    for (const auto& entry : fs::directory_iterator(directory / kCheckpointsFolder)) {
      if (entry.path().filename().string().front() != '.')
        std::cout << "  checkpoint " << entry.path().filename().string() << "\n";
    }
  }
  const bool has_model = fs::exists(directory / "model");
  std::cout << (has_newest_model(directory) ? "  finished: the result is in model/\n"
                : has_model ? "  not finished: model/ is of an earlier step than the newest checkpoint\n"
                            : "  not finished\n");
}

int run(const fs::path& directory) {
  if (!fs::is_directory(directory)) fail("inspecting ", directory.string(), ": there is no such directory");
  if (has_verbalizers(directory)) {
    inspect_verbalizers(directory);
  } else if (fs::exists(description_path(directory))) {
    inspect_cache(directory);
  } else if (fs::exists(directory / kRunMetricsFile)) {
    inspect_run(directory);
  } else if (fs::exists(directory / "config.json")) {
    inspect_model(directory);
  } else if (fs::exists(directory / "adapter_config.json")) {
    inspect_adapter(directory);
  } else {
    fail("inspecting ", directory.string(),
         ": it is no model (config.json), adapter (adapter_config.json), verbalizer set (verbalizers.json), teacher "
         "cache "
         "(cache.json) or run (metrics.jsonl)");
  }
  return 0;
}

}  // namespace

Action add_inspect(CLI::App& command) {
  auto directory = std::make_shared<fs::path>();
  command.add_option("directory", *directory, "the directory, or a model org/name in the hub's local cache")
      ->required();
  return [directory] { return run(model_directory(*directory)); };
}

}  // namespace vlsi
