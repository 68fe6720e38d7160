// A run that was killed in the middle of the interaction and went on.
#pragma once

#include "tests/cli/program.h"

namespace vlsi::cli_test {

/// Runs `arguments`, which keep every checkpoint, in both folders; then the one in `stopped` again with --resume, as if
/// it had been killed behind the second iteration of five of the interaction.
inline void resume_in_interaction(const Folder& whole, const Folder& stopped, const Arguments& arguments) {
  ASSERT_EQ(distill(whole, arguments).status, 0);
  ASSERT_EQ(distill(stopped, arguments).status, 0);
  for (const char* later :
       {"interact-3", "interact-4", "interact-5", "finetune-1", "finetune-2", "finetune-3", "finetune-4"}) {
    ASSERT_GT(fs::remove_all(stopped / "run/checkpoints" / later), 0U) << later;
  }
  fs::remove_all(stopped / "run/model");
  const auto result = distill(stopped, with(arguments, {"--resume"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_NE(result.err.find("interact-2"), std::string::npos) << result.err;
}

}  // namespace vlsi::cli_test
