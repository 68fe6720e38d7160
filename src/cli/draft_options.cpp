#include "cli/draft_options.h"

#include "base/error.h"
#include "base/log.h"
#include "cli/options.h"
#include "run/verbal_draft.h"
#include "teacher/verbalizers.h"

namespace vlsi {

SpeakerFiles DraftOptions::verbalizers_of(const std::filesystem::path& model) const {
  SpeakerFiles files;
  files.verbalizers = verbalizers;
  files.head = head;
  if (!files.verbalizers.empty()) return files;
  for (const auto& folder : {model, model / "verbalizers"}) {
    if (has_verbalizers(folder)) files.verbalizers = folder;
  }
  if (files.verbalizers.empty() && !head.empty()) fail("--head is of no use without --verbalizers");
  return files;
}

SpeakerFiles DraftOptions::files(const std::filesystem::path& model) const {
  if (!layer) {
    if (!verbalizers.empty() || !head.empty()) fail("--verbalizers and --head are of no use without --draft-layer");
    return {};
  }
  auto files = verbalizers_of(model);
  if (files.verbalizers.empty()) {
    fail("--draft-layer is ", *layer, ", but there is no verbalizers.json in ", model.string(),
         " or in its folder verbalizers: name a folder by --verbalizers");
  }
  files.layers = {*layer};
  return files;
}

Draft DraftOptions::of(const Speaker& speaker, const Decoding& decoding) const {
  if (!layer) return {};
  if (decoding.num_beams > 1) {
    fail("--draft-layer drafts answers of one beam, and --num-beams, or generation_config.json, says ",
         decoding.num_beams);
  }
  return draft_by_verbalizer(speaker, *layer, num_tokens);
}

void add_draft_options(CLI::App& command, DraftOptions& options) {
  command
      .add_option("--draft-layer", options.layer,
                  "draft answers by the verbalizer of this layer; the whole model checks several tokens at once, and "
                  "they are the same as without")
      ->check(whole_number_from(1));
  command.add_option("--draft-tokens", options.num_tokens, "at most, ahead of each answer")
      ->capture_default_str()
      ->check(whole_number_from(1));
}

void add_verbalizer_options(CLI::App& command, DraftOptions& options) {
  command.add_option("--verbalizers", options.verbalizers, "for --draft-layer [those in the model's directory]");
  command.add_option("--head", options.head,
                     "the model that the verbalizers were trained on, where --model's language head was trained since");
}

void log_drafts(const DraftCounts& counts) {
  if (counts.drafted > 0) log_info(describe(counts));
}

}  // namespace vlsi
