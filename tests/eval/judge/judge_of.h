// A judge that is a scripted server.
#pragma once

#include <chrono>
#include <memory>

#include "eval/judge/judge.h"
#include "tests/data/data_files.h"
#include "tests/eval/judge/scripted_server.h"

namespace vlsi::judge_test {

/// Its prompts, if any, are in `folder`/prompts, its cache in `folder`/cache.
inline JudgeConfig config_of(const ScriptedServer& server, const Folder& folder, int64_t num_tries = 2) {
  JudgeConfig config;
  config.endpoint.url = server.url();
  config.endpoint.num_tries = num_tries;
  config.endpoint.first_wait = std::chrono::milliseconds(1);
  config.model = "judge";
  if (std::filesystem::exists(folder / "prompts")) config.prompts = JudgePrompts(folder / "prompts");
  config.cache = folder / "cache";
  config.num_workers = 3;
  return config;
}

inline std::shared_ptr<const Judge> judge_of(const ScriptedServer& server, const Folder& folder) {
  return std::make_shared<const Judge>(config_of(server, folder));
}

}  // namespace vlsi::judge_test
