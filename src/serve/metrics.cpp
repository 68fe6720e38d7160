#include "serve/metrics.h"

#include "base/error.h"
#include "base/number_text.h"

namespace vlsi {
namespace {

std::string described(const std::string& name, const std::string& help, const char* type) {
  return concat("# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
}

std::string one_value(const std::string& name, const std::string& help, const char* type, int64_t value) {
  return described(name, help, type) + concat(name, " ", value, "\n");
}

}  // namespace

void SecondsHistogram::add(double seconds) {
  size_t place = 0;
  while (place < kBounds.size() && seconds > kBounds[place]) ++place;
  ++counts_[place];
  sum_ += seconds;
}

std::string SecondsHistogram::text(const std::string& name, const std::string& help) const {
  auto text = described(name, help, "histogram");
  int64_t count = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    count += counts_[i];
    const auto bound = i < kBounds.size() ? concat(kBounds[i]) : "+Inf";
    text += concat(name, "_bucket{le=\"", bound, "\"} ", count, "\n");
  }
  return text + concat(name, "_sum ", number_text(sum_), "\n", name, "_count ", count, "\n");
}

void ServerMetrics::count_request(int status) {
  const std::lock_guard lock(mutex_);
  ++requests_[status];
}

void ServerMetrics::count_answer(const Usage& usage, int64_t num_answers, int64_t num_cut,
                                 std::optional<double> first_text_seconds, double seconds) {
  const std::lock_guard lock(mutex_);
  sum_.prompt_tokens += usage.prompt_tokens;
  sum_.cached_tokens += usage.cached_tokens;
  sum_.image_tokens += usage.image_tokens;
  sum_.answer_tokens += usage.answer_tokens;
  sum_.counts += usage.counts;
  num_answers_ += num_answers;
  num_cut_ += num_cut;
  if (first_text_seconds) first_text_.add(*first_text_seconds);
  whole_.add(seconds);
}

void ServerMetrics::count_gone_client() {
  const std::lock_guard lock(mutex_);
  ++num_gone_;
}

std::string ServerMetrics::text(int64_t num_running, int64_t num_waiting) const {
  const std::lock_guard lock(mutex_);
  auto text = described("vlsi_requests_total", "Requests for answers, by the status of their reply.", "counter");
  for (const auto& [status, count] : requests_)
    text += concat("vlsi_requests_total{status=\"", status, "\"} ", count, "\n");
  text += one_value("vlsi_answers_running", "Answers in the engine.", "gauge", num_running);
  text += one_value("vlsi_answers_waiting", "Answers that wait for a place in the engine.", "gauge", num_waiting);
  text += one_value("vlsi_answers_total", "Whole answers.", "counter", num_answers_);
  text += one_value("vlsi_answers_cut_total", "Whole answers that ended at their longest.", "counter", num_cut_);
  text += one_value("vlsi_clients_gone_total", "Clients that went away before their answer.", "counter", num_gone_);
  text += one_value("vlsi_prompt_tokens_total", "Tokens of prompts.", "counter", sum_.prompt_tokens);
  text +=
      one_value("vlsi_cached_tokens_total", "Of these, known from earlier requests.", "counter", sum_.cached_tokens);
  text += one_value("vlsi_picture_tokens_total", "Of the prompts' tokens, those of pictures.", "counter",
                    sum_.image_tokens);
  text += one_value("vlsi_answer_tokens_total", "Tokens of answers.", "counter", sum_.answer_tokens);
  text += one_value("vlsi_decoding_passes_total", "Passes of the model, an answer's behind its prompt.", "counter",
                    sum_.counts.passes);
  text += one_value("vlsi_drafted_tokens_total", "Tokens that were drafted.", "counter", sum_.counts.drafted);
  text += one_value("vlsi_accepted_tokens_total", "Of these, those that became an answer's.", "counter",
                    sum_.counts.accepted);
  text += first_text_.text("vlsi_first_text_seconds", "From a request to the first text of an answer in pieces.");
  return text + whole_.text("vlsi_answer_seconds", "From a request to the end of its answer.");
}

}  // namespace vlsi
