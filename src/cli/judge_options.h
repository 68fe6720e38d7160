// Options of the judge that vlsi evaluate may ask.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "eval/judge/judge.h"

namespace vlsi {

struct JudgeOptions {
  std::string url, model, key_variable = "OPENAI_API_KEY";
  std::filesystem::path prompts, cache;
  int64_t workers = JudgeConfig().num_workers, tries = EndpointConfig().num_tries;
  double wait_seconds = std::chrono::duration<double>(EndpointConfig().first_wait).count();
  double timeout_seconds = std::chrono::duration<double>(EndpointConfig().timeout).count();
};

void add_judge_options(CLI::App& command, JudgeOptions& options);

/// The judge, remembering in `cache` where no other folder is given; null without an address. Error for options that
/// are of no use, or missing.
std::shared_ptr<const Judge> make_judge(const JudgeOptions& options, const std::filesystem::path& cache);

}  // namespace vlsi
