// A request's prompts as the model reads them, within its context.
#pragma once

#include <functional>
#include <vector>

#include "data/processor.h"
#include "data/sample.h"
#include "model/config.h"
#include "serve/openai/request.h"

namespace vlsi {

/// One sample a prompt: a conversation with its generation prompt, whose texts' special tokens are the processor's to
/// take or not; or text or tokens without a template, in which the text of a control token is that token. A
/// conversation that is too long and may be cut loses its oldest turns, but no system turn and not the last one, until
/// the prompt and an answer of max_new_tokens, or else of a quarter of the context, have room. RequestError 400 for a
/// prompt that cannot be read, is empty, has a picture's token without a picture, or leaves no token for the answer;
/// before any of its pictures is decoded, as far as their headers show it. `check` is called again and again: what it
/// throws ends the reading.
std::vector<Sample> prompts_of(
    const AnswerRequest& request, const Processor& processor, const ModelConfig& config,
    const std::function<void()>& check = [] {});

}  // namespace vlsi
