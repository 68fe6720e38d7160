#include "text/jinja/traced_text.h"

namespace vlsi {

TracedText::TracedText(std::string bytes, int32_t origin) : bytes_(std::move(bytes)) {
  if (origin != 0) tags_.assign(bytes_.size(), origin);
}

void TracedText::append(std::string_view bytes, int32_t origin) {
  if (origin != 0) tags_.resize(bytes_.size());
  bytes_ += bytes;
  if (origin != 0 || !tags_.empty()) tags_.resize(bytes_.size(), origin);
}

void TracedText::append(const TracedText& other, size_t begin, size_t end) {
  if (!other.tags_.empty()) {
    tags_.resize(bytes_.size());
    tags_.insert(tags_.end(), other.tags_.begin() + begin, other.tags_.begin() + end);
  } else if (!tags_.empty()) {
    tags_.resize(bytes_.size() + (end - begin));
  }
  bytes_.append(other.bytes_, begin, end - begin);
}

void TracedText::append_for(const TracedText& other, size_t index, std::string_view bytes) {
  append(bytes, other.tag(index));
}

TracedText TracedText::slice(size_t begin, size_t end) const {
  TracedText result;
  result.append(*this, begin, end);
  return result;
}

void TracedText::mark_generated() {
  tags_.resize(bytes_.size());
  for (int32_t& tag : tags_) tag |= kGenerated;
}

}  // namespace vlsi
