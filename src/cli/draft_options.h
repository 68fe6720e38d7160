// Options of commands that let a model draft its own answers.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "generate/draft.h"
#include "run/speaker.h"

namespace vlsi {

struct DraftOptions {
  std::optional<int64_t> layer;
  int64_t num_tokens = Draft().num_tokens;
  std::filesystem::path verbalizers, head;

  /// The verbalizers that are named, else those in the directory `model` or in its folder `verbalizers`; empty for
  /// none.
  SpeakerFiles verbalizers_of(const std::filesystem::path& model) const;

  /// What a command that reads verbalizers for nothing else has to load: none without --draft-layer. Error where there
  /// are none.
  SpeakerFiles files(const std::filesystem::path& model) const;

  /// How the speaker drafts answers that are decoded so. Error for settings that do not go together.
  Draft of(const Speaker& speaker, const Decoding& decoding) const;
};

/// --draft-layer and --draft-tokens.
void add_draft_options(CLI::App& command, DraftOptions& options);

/// --verbalizers and --head, of commands that read verbalizers for nothing else.
void add_verbalizer_options(CLI::App& command, DraftOptions& options);

/// Logs what drafts have saved, where there are any.
void log_drafts(const DraftCounts& counts);

}  // namespace vlsi
