// Options of commands that keep a generation engine for many questions.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>

#include "generate/engine.h"

namespace vlsi {

/// --max-sequences, --prompt-tokens and --cache-memory.
void add_engine_options(CLI::App& command, EngineConfig& config);

/// --cache-memory alone.
void add_cache_memory_option(CLI::App& command, int64_t& cache_bytes);

/// Error for more beams than `config` decodes at once: no question could be answered.
void expect_places_for_beams(const Decoding& decoding, const EngineConfig& config);

/// An option whose value is a number of bytes, as 67108864 or 64MiB.
CLI::Option* add_bytes_option(CLI::App& command, const std::string& name, int64_t& bytes, const std::string& meaning);

/// The longest answer where nobody says: max_new_tokens of the model's generation_config.json, else 1024.
int64_t usual_longest_answer(const std::filesystem::path& model);

}  // namespace vlsi
