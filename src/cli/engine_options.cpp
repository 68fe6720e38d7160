#include "cli/engine_options.h"

#include "base/error.h"
#include "base/json.h"
#include "base/size_text.h"
#include "cli/options.h"

namespace vlsi {

CLI::Option* add_bytes_option(CLI::App& command, const std::string& name, int64_t& bytes, const std::string& meaning) {
  return command
      .add_option_function<uint64_t>(
          name, [&bytes](const uint64_t& value) { bytes = static_cast<int64_t>(value); }, meaning)
      ->default_str(size_text(bytes))
      ->transform(CLI::AsSizeValue(/*kb_is_1000=*/false))
      ->check(whole_number_from(1));
}

void add_engine_options(CLI::App& command, EngineConfig& config) {
  command.add_option("--max-sequences", config.max_sequences, "answered at once; a beam is one")
      ->capture_default_str()
      ->check(whole_number_from(1));
  command.add_option("--prompt-tokens", config.prompt_tokens, "of new prompts, read between two tokens of the answers")
      ->capture_default_str()
      ->check(whole_number_from(1));
  add_cache_memory_option(command, config.cache_bytes);
}

void add_cache_memory_option(CLI::App& command, int64_t& cache_bytes) {
  add_bytes_option(command, "--cache-memory", cache_bytes,
                   "of keys and values, at most; equal beginnings of prompts are kept in it");
}

void expect_places_for_beams(const Decoding& decoding, const EngineConfig& config) {
  if (decoding.num_beams <= config.max_sequences) return;
  fail("--num-beams is ", decoding.num_beams, ", expected at most --max-sequences, which is ", config.max_sequences);
}

int64_t usual_longest_answer(const std::filesystem::path& model) {
  constexpr int64_t kUsual = 1024;
  const auto path = model / "generation_config.json";
  if (!std::filesystem::exists(path)) return kUsual;
  return find<int64_t>(read_json(path), "max_new_tokens", path.string()).value_or(kUsual);
}

}  // namespace vlsi
