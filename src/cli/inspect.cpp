// vlsi inspect: what is in a folder that this program, or the ecosystem, wrote.
#include <iostream>

#include "base/json.h"
#include "base/safetensors.h"
#include "cli/commands.h"
#include "model/config.h"
#include "model/verbalizer.h"

namespace vlsi {
namespace {

namespace fs = std::filesystem;

std::string size_text(double bytes) {
  const char* const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 4) bytes /= 1024, ++unit;
  std::ostringstream text;
  text.precision(unit == 0 ? 0 : 1);
  text << std::fixed << bytes << ' ' << units[unit];
  return text.str();
}

struct Contents {
  int64_t num_tensors = 0, num_values = 0, num_bytes = 0;
  std::map<std::string, int64_t> values_by_dtype;

  void add(const TensorInfo& info) {
    int64_t values = 1;
    for (const int64_t size : info.shape) values *= size;
    ++num_tensors;
    num_values += values;
    num_bytes += static_cast<int64_t>(info.end - info.begin);
    values_by_dtype[c10::toString(info.dtype)] += values;
  }
  void print() const {
    std::cout << "  tensors     " << num_tensors << "\n  values      " << num_values << " (";
    bool first = true;
    for (const auto& [dtype, values] : values_by_dtype) std::cout << (std::exchange(first, false) ? "" : ", ") << values << " " << dtype;
    std::cout << ")\n  size        " << size_text(static_cast<double>(num_bytes)) << "\n";
  }
};

void inspect_model(const fs::path& directory) {
  const auto config = load_model_config(directory);
  const auto &text = config.text;
  const auto &vision = config.vision;
  std::cout << directory.string() << ": a Qwen2-VL model\n"
            << "  decoder     " << text.num_hidden_layers << " layers x " << text.hidden_size << ", heads " << text.num_attention_heads
            << "/" << text.num_key_value_heads << ", FFN " << text.intermediate_size << "\n"
            << "  vocabulary  " << text.vocab_size << " rows, head " << (text.tie_word_embeddings ? "tied" : "separate") << "\n"
            << "  vision      " << vision.depth << " blocks x " << vision.embed_dim << ", heads " << vision.num_heads << ", patch "
            << vision.patch_size << ", merge " << vision.spatial_merge_size << "\n";
  const auto checkpoint = Checkpoint::open(directory);
  Contents contents;
  for (const auto& name : checkpoint.names()) contents.add(checkpoint.info(name));
  contents.print();
}

void inspect_verbalizers(const fs::path& directory) {
  const auto path = directory / "verbalizers.json";
  const auto description = read_json(path);
  const auto backbone = require<Json>(description, "backbone", path.string());
  const auto config = read_verbalizer_config(directory);
  std::cout << directory.string() << ": verbalizers (" << name_of(config.architecture)
            << (config.residual ? ", residual" : "") << (config.final_norm ? ", final norm" : "")
            << ")\n  layers      ";
  for (const int64_t layer : require<std::vector<int64_t>>(description, "layers", path.string())) std::cout << layer << " ";
  std::cout << "\n  backbone    " << require<int64_t>(backbone, "num_layers", path.string()) << " layers x "
            << require<int64_t>(backbone, "width", path.string()) << ", head " << require<std::string>(backbone, "head", path.string()) << "\n";
  Contents contents;
  const auto file = SafetensorsFile::open(directory / "verbalizers.safetensors");
  for (const auto& [name, info] : file->tensors()) contents.add(info);
  contents.print();
}

void inspect_run(const fs::path& directory) {
  std::cout << directory.string() << ": a run\n";
  std::ifstream metrics(directory / "metrics.jsonl");
  std::map<std::string, std::pair<int64_t, double>> steps;  // iterations and last loss
  std::vector<std::string> order;
  for (std::string line; std::getline(metrics, line) && !metrics.eof();) {
    const auto json = parse_json(line, (directory / "metrics.jsonl").string());
    const auto step = json.value("step", "");
    if (!json.contains("loss") || !json["loss"].is_number()) continue;
    if (steps.count(step) == 0) order.push_back(step);
    steps[step] = {json.value("iteration", int64_t{0}), json["loss"].get<double>()};
  }
  for (const auto& step : order) {
    std::cout << "  " << step << ": " << steps[step].first << " iterations, last loss " << steps[step].second << "\n";
  }
  if (fs::is_directory(directory / "checkpoints")) {
    for (const auto& entry : fs::directory_iterator(directory / "checkpoints")) {
      if (entry.path().filename().string().front() != '.') std::cout << "  checkpoint " << entry.path().filename().string() << "\n";
    }
  }
  std::cout << (fs::exists(directory / "model") ? "  finished: the result is in model/\n" : "  not finished\n");
}

int run(const fs::path& directory) {
  if (fs::exists(directory / "verbalizers.json")) {
    inspect_verbalizers(directory);
  } else if (fs::exists(directory / "metrics.jsonl")) {
    inspect_run(directory);
  } else if (fs::exists(directory / "config.json")) {
    inspect_model(directory);
  } else {
    fail("inspecting ", directory.string(), ": it is no model (config.json), verbalizer set (verbalizers.json) or run (metrics.jsonl)");
  }
  return 0;
}

}  // namespace

void add_inspect(CLI::App& program, Action& action) {
  auto directory = std::make_shared<fs::path>();
  auto* command = program.add_subcommand("inspect", "What is in a model, verbalizer or run directory");
  command->add_option("directory", *directory, "the directory")->required();
  command->callback([directory, &action] { action = [directory] { return run(*directory); }; });
}

}  // namespace vlsi
