#include "text/jinja/traced_text.h"

#include <algorithm>

namespace vlsi {

std::vector<TracedText::Run>::const_iterator TracedText::run_at(size_t index) const {
  return std::upper_bound(runs_.begin(), runs_.end(), index, [](size_t i, const Run& run) { return i < run.end; });
}

void TracedText::append_run(std::string_view bytes, Run like) {
  if (bytes.empty()) return;
  bytes_ += bytes;
  like.end = bytes_.size();
  if (!runs_.empty() && runs_.back().origin == like.origin && runs_.back().generated == like.generated) {
    runs_.back().end = like.end;
  } else {
    runs_.push_back(like);
  }
}

void TracedText::append(const TracedText& other, size_t begin, size_t end) {
  const std::string_view bytes = other.bytes_;
  for (auto run = other.run_at(begin); begin < end; ++run) {
    const size_t stop = std::min(run->end, end);
    append_run(bytes.substr(begin, stop - begin), *run);
    begin = stop;
  }
}

void TracedText::append_for(const TracedText& other, size_t index, std::string_view bytes) {
  append_run(bytes, *other.run_at(index));
}

TracedText TracedText::slice(size_t begin, size_t end) const {
  TracedText result;
  result.append(*this, begin, end);
  return result;
}

void TracedText::mark_generated() {
  std::vector<Run> runs;
  for (const Run& run : runs_) {
    if (!runs.empty() && runs.back().origin == run.origin) {
      runs.back().end = run.end;
    } else {
      runs.push_back({run.end, run.origin, true});
    }
  }
  runs_ = std::move(runs);
}

}  // namespace vlsi
