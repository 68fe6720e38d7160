#include "family/chat_processor.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "base/checksum.h"
#include "base/error.h"
#include "base/log.h"
#include "data/read_picture.h"
#include "data/rotary_positions.h"
#include "family/sample_builder.h"

namespace vlsi {
namespace {

constexpr std::string_view kBeginOfTurn = "<|im_start|>", kEndOfTurn = "<|im_end|>";

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kSystem: return "system";
    case Role::kUser: return "user";
    case Role::kAssistant: return "assistant";
  }
  return "";
}

/// The bytes that turn `index` contributed have this origin.
int32_t origin_of(size_t index) { return static_cast<int32_t>(index) + 1; }

/// bos_token and its like of tokenizer_config.json, as texts by name.
std::vector<std::pair<std::string, TemplateValue>> read_special_tokens(const std::filesystem::path& directory) {
  std::vector<std::pair<std::string, TemplateValue>> tokens;
  const auto path = directory / "tokenizer_config.json";
  if (!std::filesystem::exists(path)) return tokens;
  const Json json = read_json(path);
  if (!json.is_object()) {
    fail(path.string(), ": is ", describe(json), ", expected an object, of which a chat template reads special tokens");
  }
  for (const char* name :
       {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
    const auto found = find<Json>(json, name, path.string());
    if (!found) continue;
    const auto text = found->is_object() ? find<std::string>(*found, "content", path.string() + ": " + name)
                                         : find<std::string>(json, name, path.string());
    if (text) tokens.emplace_back(name, TemplateValue::text(*text));
  }
  return tokens;
}

Content text_content(std::string text) { return {Content::Kind::kText, std::move(text), {}}; }

std::vector<const Content*> pictures_of(const Conversation& conversation, size_t num_turns) {
  std::vector<const Content*> pictures;
  for (size_t i = 0; i < num_turns; ++i) {
    for (const auto& content : conversation.turns[i].contents) {
      if (content.kind == Content::Kind::kImage) pictures.push_back(&content);
    }
  }
  return pictures;
}

/// Up to the last turn of the user's; 0 where there is none.
size_t num_prompt_turns(const Conversation& conversation) {
  const auto& turns = conversation.turns;
  const auto last_user =
      std::find_if(turns.rbegin(), turns.rend(), [](const Turn& turn) { return turn.role == Role::kUser; });
  return static_cast<size_t>(turns.rend() - last_user);
}

/// What the tokenizer's file may lack.
std::optional<Tokenizer::Extra> extra_token(const ModelConfig& model, const ChatSettings& settings) {
  if (settings.template_without_token.empty()) return std::nullopt;
  return Tokenizer::Extra{std::string(settings.picture_token), static_cast<int32_t>(model.image_token_id)};
}

/// What no text of a turn may write as a token where it is plain.
std::vector<std::string_view> control_tokens(const ChatSettings& settings) {
  std::vector<std::string_view> tokens{kBeginOfTurn, kEndOfTurn, settings.picture_token};
  tokens.insert(tokens.end(), settings.other_placeholders.begin(), settings.other_placeholders.end());
  return tokens;
}

/// Of tokenizer.json, and of what the tokenizer has besides.
std::string checksum_of(const Tokenizer& tokenizer) {
  const auto of_file = checksum_of_file(tokenizer.directory() / "tokenizer.json");
  if (tokenizer.added_by_config().empty()) return of_file;
  Checksum checksum;
  checksum.update(of_file + tokenizer.added_by_config());
  return hexadecimal(checksum.value());
}

/// A directory whose tokenizer knows no pictures has the template of its language model, which does not either.
ChatTemplate built_in_template(const ChatSettings& settings, const Tokenizer& tokenizer) {
  const auto text = tokenizer.has_extra() ? settings.template_without_token : settings.default_template;
  return ChatTemplate::parse(std::string(text), "the family's chat template");
}

bool is_generated(const Rendering& rendering, size_t byte) {
  return std::any_of(rendering.generated.begin(), rendering.generated.end(),
                     [&](const auto& span) { return span.first <= byte && byte <= span.second; });
}

}  // namespace

ChatProcessor::ChatProcessor(const std::filesystem::path& directory, const ModelConfig& model, SpecialText special_text,
                             ChatSettings settings)
    : tokenizer_(Tokenizer::load(directory, extra_token(model, settings), control_tokens(settings))),
      special_text_(special_text),
      settings_(std::move(settings)),
      template_(built_in_template(settings_, tokenizer_)),
      tokenizer_checksum_(checksum_of(tokenizer_)),
      num_axes_(model.text.num_axes()),
      end_of_turn_(tokenizer_.require(kEndOfTurn)),
      picture_token_(tokenizer_.require(settings_.picture_token)) {
  if (picture_token_ != model.image_token_id) {
    fail("loading the model in ", directory.string(), ": the picture token of its tokenizer has the id ",
         picture_token_, ", config.json has image_token_id ", model.image_token_id, "; expected the same");
  }
  probe_roles();
  auto found = tokenizer_.has_extra() ? std::nullopt : ChatTemplate::load(directory);
  if (found) {
    const auto built_in = template_fingerprint();
    template_ = *std::move(found);
    probe_roles();
    if (template_fingerprint() != built_in) {
      log_info(concat("the chat template in ", directory.string(), " is not that of its family; it is followed"));
    }
  }
  special_tokens_ = read_special_tokens(directory);
}

void ChatProcessor::probe_roles() {
  for (const Role role : {Role::kSystem, Role::kUser, Role::kAssistant}) {
    takes_lists_[static_cast<size_t>(role)] = true;
    takes_lists_[static_cast<size_t>(role)] = shows_lists(role);
  }
}

Sample ChatProcessor::encode(const Conversation& conversation) const {
  auto sample = outline(conversation);
  fill(conversation, sample);
  return sample;
}

Sample ChatProcessor::outline(const Conversation& conversation) const {
  return tokenize(conversation, conversation.turns.size(), render_marked(conversation));
}

void ChatProcessor::fill(const Conversation& conversation, Sample& outline) const {
  auto pictures = pictures_of(conversation, conversation.turns.size());
  // What follows a prompt may show pictures, too.
  if (pictures.size() != outline.images.size()) pictures = pictures_of(conversation, num_prompt_turns(conversation));
  const auto refuse = [&](const std::string& what) {
    fail("conversation '", conversation.id, "': ", what, ", expected the same as when it was read before");
  };
  if (pictures.size() != outline.images.size()) refuse("its pictures are others");
  for (size_t i = 0; i < pictures.size(); ++i) {
    auto patches = read_patches(*pictures[i], conversation, pictures.size());
    if (patches.shape != outline.images[i].shape) {
      refuse(concat("the picture ", name_of_picture(*pictures[i]), " has another size"));
    }
    outline.images[i] = std::move(patches);
  }
}

PicturePatches ChatProcessor::read_patches(const Content& content, const Conversation& conversation,
                                           size_t num_pictures) const {
  return recent_pictures_.of(content, num_pictures, [&] {
    return settings_.pictures->read(read_picture(content, conversation.images), content.limits, num_pictures,
                                    name_of_picture(content));
  });
}

PictureShape ChatProcessor::read_shape(const Content& content, const Conversation& conversation,
                                       size_t num_pictures) const {
  return settings_.pictures->shape(measure_picture(content, conversation.images), content.limits, num_pictures,
                                   name_of_picture(content));
}

std::vector<PictureShape> ChatProcessor::read_shapes(const Conversation& conversation, size_t num_turns) const {
  const auto pictures = pictures_of(conversation, num_turns);
  std::vector<PictureShape> shapes;
  int64_t num_tokens = 0;
  for (const auto* picture : pictures) {
    shapes.push_back(read_shape(*picture, conversation, pictures.size()));
    num_tokens += shapes.back().num_rows;
    if (num_tokens > kMostPictureTokens) {
      fail("conversation '", conversation.id, "': its pictures up to ", name_of_picture(*picture), " have ", num_tokens,
           " tokens, expected at most ", kMostPictureTokens);
    }
  }
  return shapes;
}

Sample ChatProcessor::encode_prompt(const Conversation& conversation) const {
  auto sample = outline_prompt(conversation);
  fill(conversation, sample);
  return sample;
}

Sample ChatProcessor::outline_prompt(const Conversation& conversation) const {
  const size_t num_turns = num_prompt_turns(conversation);
  if (num_turns == 0) fail("conversation '", conversation.id, "': found no user turn, expected one to answer");
  Sample sample = tokenize(conversation, num_turns, {render(conversation, num_turns, /*generation_prompt=*/true), {}});
  sample.answer_positions = {static_cast<int32_t>(sample.tokens.size()) - 1};
  return sample;
}

ProcessorFingerprint ChatProcessor::fingerprint() const {
  Checksum chat_template;
  chat_template.update(template_fingerprint());
  chat_template.update(special_text_ == SpecialText::kPlain ? "special as plain" : "control");
  return {tokenizer_checksum_, hexadecimal(chat_template.value()), settings_.pictures->settings_text()};
}

std::string ChatProcessor::template_fingerprint() const {
  // Conversations with and without a system turn, of one and of several rounds, with a picture: what the template makes
  // of them, byte for byte.
  const auto turn = [](Role role, const char* content) { return Turn{role, {text_content(content)}}; };
  Conversation probe{"template", "", {turn(Role::kUser, "a"), turn(Role::kAssistant, " b\n")}};
  Checksum chat_template;
  const auto add = [&](bool generation_prompt) {
    try {
      const auto rendering = render(probe, probe.turns.size(), generation_prompt);
      chat_template.update(rendering.text);
      for (const int32_t origin : rendering.origins) chat_template.update(origin > 0 ? "+" : "-");
      for (const auto& [begin, end] : rendering.generated) chat_template.update(concat(begin, ' ', end, ' '));
    } catch (const Error&) {
      chat_template.update("refused");
    }
  };
  add(false);
  probe.turns.push_back({Role::kUser, {text_content("c"), {Content::Kind::kImage, {}, "picture"}, text_content("d")}});
  add(true);
  probe.turns.push_back(turn(Role::kAssistant, "<|im_end|>"));
  probe.turns.insert(probe.turns.begin(), turn(Role::kSystem, "e"));
  add(false);
  // Whether it tells parts of text that follow each other from one.
  const auto shown = [&](const std::vector<Content>& contents) {
    try {
      return render({"template", "", {{Role::kUser, contents}}}, 1, /*generation_prompt=*/false).text;
    } catch (const Error&) {
      return std::string("refused");
    }
  };
  const auto in_parts = shown({text_content("a"), text_content(""), text_content("b")});
  if (in_parts != shown({text_content("ab")})) chat_template.update(in_parts);
  return hexadecimal(chat_template.value());
}

TemplateValue ChatProcessor::message_of(const Turn& turn, int32_t origin) const {
  const auto message = [&](TemplateValue content) {
    return TemplateValue::dict(
        {{"role", TemplateValue::text(std::string(role_name(turn.role)))}, {"content", std::move(content)}});
  };
  const bool has_pictures = std::any_of(turn.contents.begin(), turn.contents.end(),
                                        [](const auto& content) { return content.kind == Content::Kind::kImage; });
  if (!has_pictures && !takes_lists_[static_cast<size_t>(turn.role)]) {
    return message(TemplateValue::text(text_of(turn), origin));
  }
  std::vector<TemplateValue> parts;
  for (const auto& content : turn.contents) {
    const bool is_text = content.kind == Content::Kind::kText;
    const std::string key = is_text ? "text" : "image";
    parts.push_back(TemplateValue::dict(
        {{"type", TemplateValue::text(key)},
         {key, is_text ? TemplateValue::text(content.text, origin) : TemplateValue::text("picture")}}));
  }
  return message(TemplateValue::list(std::move(parts)));
}

bool ChatProcessor::shows_lists(Role role) const {
  constexpr std::string_view kNeedle = "needle";
  const Conversation probe{"template", "", {{Role::kUser, {text_content("a")}}, {role, {text_content("needle")}}}};
  const Conversation alone{"template", "", {{role, {text_content("needle")}}}};
  const auto& conversation = role == Role::kAssistant ? probe : alone;
  try {
    const auto rendering = render(conversation, conversation.turns.size(), /*generation_prompt=*/false);
    const auto found = rendering.text.find(kNeedle);
    // The parts printed as a list are not the template's way to show them.
    return found != std::string::npos && rendering.text.find("'type'") == std::string::npos;
  } catch (const Error&) {
    return false;
  }
}

Rendering ChatProcessor::render(const Conversation& conversation, size_t num_turns, bool generation_prompt) const {
  auto variables = special_tokens_;
  std::vector<TemplateValue> messages;
  for (size_t i = 0; i < num_turns; ++i) messages.push_back(message_of(conversation.turns[i], origin_of(i)));
  variables.emplace_back("messages", TemplateValue::list(std::move(messages)));
  variables.emplace_back("add_generation_prompt", TemplateValue::boolean(generation_prompt));
  variables.emplace_back("tools", TemplateValue());
  variables.emplace_back("documents", TemplateValue());
  return template_.render(TemplateValue::dict(std::move(variables)));
}

ChatProcessor::Marked ChatProcessor::render_marked(const Conversation& conversation) const {
  const auto& turns = conversation.turns;
  Marked marked{render(conversation, turns.size(), /*generation_prompt=*/false), {}};
  const auto& rendering = marked.rendering;
  marked.weights.assign(rendering.text.size(), 0);
  for (size_t byte = 0; byte < rendering.text.size(); ++byte) {
    const int32_t origin = rendering.origins[byte];
    if (origin == 0) continue;
    const Turn& turn = turns[static_cast<size_t>(origin) - 1];
    if (turn.role != Role::kAssistant) continue;
    if (!template_.has_generation_blocks() || is_generated(rendering, byte)) marked.weights[byte] = turn.weight;
  }
  mark_turn_ends(conversation, marked);
  return marked;
}

size_t ChatProcessor::begin_of_empty_answer(const Conversation& conversation, size_t turn,
                                            const Rendering& whole) const {
  const auto before = render(conversation, turn, /*generation_prompt=*/true);
  const auto length = std::min(before.text.size(), whole.text.size());
  return static_cast<size_t>(
      std::mismatch(before.text.begin(), before.text.begin() + static_cast<std::ptrdiff_t>(length), whole.text.begin())
          .first -
      before.text.begin());
}

void ChatProcessor::mark_turn_ends(const Conversation& conversation, Marked& marked) const {
  const auto& [text, origins, generated] = marked.rendering;
  std::vector<size_t> ends(conversation.turns.size(), 0);  // of what each turn contributed
  for (size_t byte = 0; byte < text.size(); ++byte) {
    if (origins[byte] > 0) ends[static_cast<size_t>(origins[byte]) - 1] = byte + 1;
  }
  for (size_t i = 0; i < ends.size(); ++i) {
    const Turn& turn = conversation.turns[i];
    if (turn.role != Role::kAssistant || turn.weight == 0) continue;
    const size_t begin = ends[i] > 0 ? ends[i] : begin_of_empty_answer(conversation, i, marked.rendering);
    size_t end = text.find(kEndOfTurn, begin);
    while (end != std::string::npos && origins[end] != 0) end = text.find(kEndOfTurn, end + 1);
    if (end == std::string::npos) continue;
    // Another turn's text in between: this template has no end of turn for it.
    const auto first = origins.begin() + static_cast<std::ptrdiff_t>(begin),
               last = origins.begin() + static_cast<std::ptrdiff_t>(end);
    if (std::any_of(first, last, [](int32_t origin) { return origin > 0; })) continue;
    if (!template_.has_generation_blocks() || is_generated(marked.rendering, end)) marked.weights[end] = turn.weight;
  }
}

Sample ChatProcessor::tokenize(const Conversation& conversation, size_t num_turns, const Marked& marked) const {
  const auto& [text, origins, generated] = marked.rendering;
  const std::string place = "conversation '" + conversation.id + "'";
  const auto shapes = read_shapes(conversation, num_turns);
  size_t num_shown = 0;
  SampleBuilder builder(tokenizer_, num_axes_, picture_token_);
  std::function<bool(size_t)> is_control;  // none: all of it
  if (special_text_ == SpecialText::kPlain) is_control = [&](size_t byte) { return origins[byte] == 0; };
  const auto weight_at = [&](size_t byte) { return marked.weights.empty() ? 0.0 : marked.weights[byte]; };
  const auto refuse = [&](const std::string& placeholder) {
    fail(place, ": found ", placeholder, " in the text of a turn, expected it for a picture alone");
  };
  for (const auto& [begin, end, added] : tokenizer_.split_at_added(text, is_control)) {
    const auto piece = std::string_view(text).substr(begin, end - begin);
    if (!added) {
      builder.add_text(piece, special_text_, marked.weights.empty() ? nullptr : marked.weights.data() + begin);
    } else if (added == picture_token_) {
      if (origins[begin] != 0) refuse(std::string(piece));
      if (num_shown == shapes.size()) {
        fail(place, ": the chat template writes ", piece, " more often than the conversation has pictures (",
             shapes.size(), ")");
      }
      const auto& shape = shapes[num_shown++];
      const auto grid = num_axes_ == 3 ? settings_.pictures->token_grid(shape) : std::array<int64_t, 3>{};
      builder.add_picture({{}, shape}, grid);
    } else if (const auto& others = settings_.other_placeholders;
               std::find(others.begin(), others.end(), piece) != others.end()) {
      refuse(std::string(piece));
    } else {
      builder.add_control(*added, weight_at(begin));
    }
  }
  if (num_shown != shapes.size()) {
    fail(place, ": the chat template of ", tokenizer_.directory().string(), " shows ", num_shown, " of ", shapes.size(),
         " pictures, expected all");
  }
  Sample sample = builder.finish();
  sample.id = conversation.id;
  sample.category = conversation.category;
  return sample;
}

}  // namespace vlsi
