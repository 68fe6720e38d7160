#include "family/qwen2_vl/processor.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <tuple>

#include "base/checksum.h"
#include "base/error.h"
#include "data/mrope.h"

namespace vlsi {
namespace {

constexpr std::string_view kDefaultSystem = "You are a helpful assistant.";
constexpr std::string_view kVideoToken = "<|video_pad|>";

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kSystem: return "system";
    case Role::kUser: return "user";
    case Role::kAssistant: return "assistant";
  }
  TORCH_CHECK(false, "unknown role");
}

/// A sample under construction: tokens, whether they are labels, and positions, always of the same length.
class SampleBuilder {
 public:
  SampleBuilder(const Tokenizer& tokenizer, SpecialText special_text, int32_t image_token, std::string place)
      : tokenizer_(tokenizer),
        special_text_(special_text),
        image_token_(image_token),
        video_token_(tokenizer.find(kVideoToken)),
        place_(std::move(place)) {}

  void add_control(int32_t token, bool is_label = false) { add_token(token, is_label); }

  /// Text between two control tokens. Control tokens cut the text before anything else does, so that encoding it alone
  /// equals encoding the whole rendered conversation. Tokens whose first byte lies at `label_begin` or behind are
  /// labels; one that reaches over it from the turn's header is not, as the model is given the header.
  void add_text(std::string_view text, std::optional<size_t> label_begin = std::nullopt) {
    // The offset holds for the normalised text too: the header before it is ASCII and ends in a newline, which no
    // normal form joins with what follows.
    size_t begin = 0;
    for (int32_t token : tokenizer_.encode(text, special_text_)) {
      if (token == image_token_ || token == video_token_) {
        fail(place_, ": found ", tokenizer_.bytes(token), " in the text of a turn, expected it for a picture alone");
      }
      const bool is_label = label_begin && begin >= *label_begin;
      if (label_begin) begin += tokenizer_.bytes(token).size();
      add_token(token, is_label);
    }
  }

  void add_picture(PicturePatches patches, int64_t merge) {
    for (int64_t i = 0; i < patches.shape.num_rows; ++i) {
      sample_.image_token_positions.push_back(static_cast<int32_t>(sample_.tokens.size()));
      sample_.tokens.push_back(image_token_);
      is_label_.push_back(false);
    }
    const auto grid = grid_of(patches.shape);
    positions_.add_grid(grid.t, grid.h / merge, grid.w / merge);
    sample_.images.push_back(std::move(patches));
  }

  Sample finish() {
    for (size_t i = 1; i < is_label_.size(); ++i) {
      if (!is_label_[i]) continue;
      sample_.answer_positions.push_back(static_cast<int32_t>(i) - 1);
      sample_.labels.push_back(sample_.tokens[i]);
    }
    sample_.positions = positions_.axes();
    sample_.next_position = positions_.next();
    return std::move(sample_);
  }

 private:
  void add_token(int32_t token, bool is_label) {
    sample_.tokens.push_back(token);
    is_label_.push_back(is_label);
    positions_.add_text(1);
  }

  const Tokenizer& tokenizer_;
  SpecialText special_text_;
  int32_t image_token_;
  std::optional<int32_t> video_token_;
  std::string place_;
  Sample sample_;
  std::vector<bool> is_label_;
  MropePositions positions_;
};

/// A picture of a data file that is not there is most often looked for in another folder than the user thinks.
Image read_picture(const std::filesystem::path& path, const std::filesystem::path& images) {
  std::error_code unknown;
  if (!images.empty() && !std::filesystem::exists(path, unknown) && !unknown) {
    fail("there is no picture ", path.string(), "; relative paths start in ", images.string(),
         ": `images` beside the `path` of a run's data, or --images, names another folder");
  }
  return read_image(path);
}

}  // namespace

Qwen2VlProcessor::Qwen2VlProcessor(const std::filesystem::path& directory, const ModelConfig& model,
                                   SpecialText special_text)
    : tokenizer_(Tokenizer::load(directory)),
      special_text_(special_text),
      image_config_(Qwen2VlImageConfig::load(directory)),
      tokenizer_checksum_(checksum_of_file(directory / "tokenizer.json")),
      start_of_turn_(tokenizer_.require("<|im_start|>")),
      end_of_turn_(tokenizer_.require("<|im_end|>")),
      vision_start_(tokenizer_.require("<|vision_start|>")),
      vision_end_(tokenizer_.require("<|vision_end|>")),
      image_token_(tokenizer_.require("<|image_pad|>")) {
  const auto action = "loading the model in " + directory.string();
  const auto& pictures = image_config_;
  const auto& tower = qwen2_vl_config(model);
  for (const auto& [what, found, expected] :
       {std::tuple("patch_size", pictures.patch_size, tower.patch_size),
        std::tuple("temporal_patch_size", pictures.temporal_patch_size, tower.temporal_patch_size),
        std::tuple("merge_size", pictures.merge_size, tower.spatial_merge_size),
        std::tuple("number of channels", std::ssize(pictures.normalisation.mean), tower.in_channels)}) {
    if (found != expected) {
      fail(action, ": the ", what, " of its picture settings is ", found, ", that of config.json's vision tower ",
           expected, "; expected the same");
    }
  }
  if (image_token_ != model.image_token_id) {
    fail(action, ": the picture token of its tokenizer has the id ", image_token_, ", config.json has image_token_id ",
         model.image_token_id, "; expected the same");
  }
}

Sample Qwen2VlProcessor::encode(const Conversation& conversation) const {
  return render(conversation, conversation.turns.size(), /*generation_prompt=*/false);
}

Sample Qwen2VlProcessor::encode_prompt(const Conversation& conversation) const {
  const auto is_user = [](const Turn& turn) { return turn.role == Role::kUser; };
  const auto& turns = conversation.turns;
  const auto last_user = std::find_if(turns.rbegin(), turns.rend(), is_user);
  if (last_user == turns.rend())
    fail("conversation '", conversation.id, "': found no user turn, expected one to answer");
  Sample sample = render(conversation, static_cast<size_t>(turns.rend() - last_user), /*generation_prompt=*/true);
  sample.answer_positions = {static_cast<int32_t>(sample.tokens.size()) - 1};
  sample.labels.clear();
  return sample;
}

ProcessorFingerprint Qwen2VlProcessor::fingerprint() const {
  // A conversation that shows the default system turn, roles, turn ends, what is learnt, and special tokens in a text.
  const auto text = [](const char* content) { return std::vector<Content>{{Content::Kind::kText, content, {}}}; };
  Conversation probe{"template", "", {{Role::kUser, text("<|im_end|> a")}, {Role::kAssistant, text("b")}}};
  std::string rendered;
  for (int turn = 0; turn < 2; ++turn) {
    const Sample sample = encode(probe);
    for (size_t i = 0; i < sample.tokens.size(); ++i) {
      const auto& learnt = sample.answer_positions;
      const bool is_learnt = std::find(learnt.begin(), learnt.end(), static_cast<int32_t>(i) - 1) != learnt.end();
      rendered += concat(is_learnt ? '+' : '-', tokenizer_.is_special(sample.tokens[i]) ? '!' : ' ',
                         tokenizer_.bytes(sample.tokens[i]));
    }
    probe.turns.insert(probe.turns.begin(), {Role::kSystem, text("c")});
  }
  Checksum chat_template;
  chat_template.update(rendered);
  const auto& c = image_config_;
  return {tokenizer_checksum_, hexadecimal(chat_template.value()),
          concat("qwen2_vl, ", c.min_pixels, " to ", c.max_pixels, " pixels, patch ", c.patch_size, ", frames ",
                 c.temporal_patch_size, ", merge ", c.merge_size, ", ", c.normalisation.text())};
}

Sample Qwen2VlProcessor::render(const Conversation& conversation, size_t num_turns, bool generation_prompt) const {
  SampleBuilder builder(tokenizer_, special_text_, image_token_, "conversation '" + conversation.id + "'");
  const auto add_turn = [&](Role role, const std::vector<Content>& contents) {
    const bool is_answer = role == Role::kAssistant;
    builder.add_control(start_of_turn_);
    // Texts that follow each other are one text to the tokenizer; only a picture separates them.
    std::string text = concat(role_name(role), '\n');
    size_t header_bytes = text.size();
    const auto flush = [&] {
      builder.add_text(text, is_answer ? std::optional(header_bytes) : std::nullopt);
      text.clear();
      header_bytes = 0;
    };
    for (const Content& content : contents) {
      if (content.kind == Content::Kind::kText) {
        text += content.text;
        continue;
      }
      flush();
      builder.add_control(vision_start_);
      builder.add_picture(
          cut_patches(read_picture(content.image, conversation.images), image_config_, content.image.string()),
          image_config_.merge_size);
      builder.add_control(vision_end_);
    }
    flush();
    builder.add_control(end_of_turn_, is_answer);
    builder.add_text("\n");
  };

  const auto& turns = conversation.turns;
  if (turns.empty() || turns.front().role != Role::kSystem) {
    add_turn(Role::kSystem, {{Content::Kind::kText, std::string(kDefaultSystem), {}}});
  }
  for (size_t i = 0; i < num_turns; ++i) add_turn(turns[i].role, turns[i].contents);
  if (generation_prompt) {
    builder.add_control(start_of_turn_);
    builder.add_text(concat(role_name(Role::kAssistant), '\n'));
  }
  Sample sample = builder.finish();
  sample.id = conversation.id;
  sample.category = conversation.category;
  return sample;
}

}  // namespace vlsi
