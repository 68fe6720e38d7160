// Chat templates: the Jinja programs in a model's directory that write a conversation as the model's text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/jinja/template_value.h"

namespace vlsi {

struct JinjaTemplate;

/// What a template made of a conversation.
struct Rendering {
  std::string text;
  std::vector<int32_t> origins;                      // of every byte: 0 where the template wrote it, else the number
                                                     // that was given to the string that it comes from
  std::vector<std::pair<size_t, size_t>> generated;  // [begin, end) of what stands in {% generation %} blocks
};

/// A parsed template, as transformers' `apply_chat_template` understands it: Jinja2's immutable sandbox with
/// trim_blocks, lstrip_blocks, loop controls, {% generation %}, `raise_exception`, `strftime_now` and a `tojson` that
/// escapes nothing for HTML. Threads may share it.
class ChatTemplate {
 public:
  /// Error "place:LINE: ..." for an unknown construct, filter, test or tag, and for whatever else is no template.
  static ChatTemplate parse(std::string source, std::string place);
  /// The template of a Hugging Face directory: chat_template.jinja, else the key chat_template of chat_template.json,
  /// else of tokenizer_config.json: a string, or a list of {name, template}, of which 'default' is taken. Empty where
  /// there is none.
  static std::optional<ChatTemplate> load(const std::filesystem::path& directory);

  /// Whether it says itself what the assistant writes.
  bool has_generation_blocks() const;
  const std::string& source() const;
  /// `variables` is a dict: messages, add_generation_prompt, tools, bos_token, ... `raise_exception(...)` of the
  /// template, what goes wrong in it, and more steps, nesting, memory or text than conversations need are an Error
  /// "place:LINE: ...".
  Rendering render(const TemplateValue& variables) const;

 private:
  explicit ChatTemplate(std::shared_ptr<const JinjaTemplate> parsed) : parsed_(std::move(parsed)) {}

  std::shared_ptr<const JinjaTemplate> parsed_;
};

}  // namespace vlsi
