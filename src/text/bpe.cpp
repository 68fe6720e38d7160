#include "text/bpe.h"

#include <algorithm>
#include <functional>
#include <span>

#include "base/error.h"

namespace vlsi {
namespace {

// Up to here a scan over all pairs for each merge is faster than a heap.
constexpr size_t kShortWord = 64;

uint64_t hash_of(int32_t left, int32_t right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

}  // namespace

Bpe::Bpe(Vocabulary vocabulary, std::vector<Merge> merges, bool ignore_merges)
    : vocabulary_(std::move(vocabulary)),
      merges_(std::move(merges)),
      table_(merges_.size()),
      ignore_merges_(ignore_merges),
      cache_(std::make_unique<WordCache>()) {
  for (int byte = 0; byte < 256; ++byte) byte_ids_[byte] = *vocabulary_.find(std::string(1, static_cast<char>(byte)));
  for (int32_t rank = 0; rank < std::ssize(merges_); ++rank) {
    const auto& [left, right, joined] = merges_[rank];
    table_.insert(hash_of(left, right), rank, joins(left, right));
  }
}

uint32_t Bpe::find(int32_t left, int32_t right) const {
  static_assert(kNoMerge == static_cast<uint32_t>(-1));
  return static_cast<uint32_t>(table_.find(hash_of(left, right), joins(left, right)));
}

void Bpe::encode(std::string_view word, std::vector<int32_t>& ids) const {
  if (word.size() == 1) {
    ids.push_back(byte_ids_[static_cast<unsigned char>(word[0])]);
    return;
  }
  if (word.size() > WordCache::kMaxBytes) {
    if (ignore_merges_) {
      if (const auto id = vocabulary_.find(word)) {
        ids.push_back(*id);
        return;
      }
    }
    word.size() <= kShortWord ? merge_short(word, ids) : merge_long(word, ids);
    return;
  }
  const WordCache::Key key(word);
  if (cache_->append(key, ids)) return;
  const size_t begin = ids.size();
  const auto whole = ignore_merges_ ? vocabulary_.find(word) : std::nullopt;
  whole ? ids.push_back(*whole) : merge_short(word, ids);
  cache_->insert(key, std::span(ids).subspan(begin));
}

void Bpe::merge_short(std::string_view word, std::vector<int32_t>& ids) const {
  std::array<int32_t, kShortWord> parts;
  std::array<uint32_t, kShortWord> ranks;  // of the pair that begins here
  size_t n = word.size();
  for (size_t i = 0; i < n; ++i) parts[i] = byte_ids_[static_cast<unsigned char>(word[i])];
  const auto look_up = [&](size_t i) { ranks[i] = find(parts[i], parts[i + 1]); };
  for (size_t i = 0; i + 1 < n; ++i) look_up(i);
  while (n > 1) {
    const size_t best = std::min_element(ranks.begin(), ranks.begin() + (n - 1)) - ranks.begin();
    if (ranks[best] == kNoMerge) break;
    parts[best] = merges_[ranks[best]].joined;
    std::copy(parts.begin() + best + 2, parts.begin() + n, parts.begin() + best + 1);
    std::copy(ranks.begin() + best + 1, ranks.begin() + (n - 1), ranks.begin() + best);
    --n;
    if (best + 1 < n) look_up(best);
    if (best > 0) look_up(best - 1);
  }
  ids.insert(ids.end(), parts.begin(), parts.begin() + n);
}

void Bpe::merge_long(std::string_view word, std::vector<int32_t>& ids) const {
  if (word.size() >= UINT32_MAX) fail("encoding text: a word of ", word.size(), " bytes is too long");
  struct Part {
    int32_t id;
    uint32_t rank;  // of the pair that begins here, kNoMerge if none
    uint32_t previous, next;
  };
  const uint32_t end = static_cast<uint32_t>(word.size());
  std::vector<Part> parts(word.size());
  std::vector<uint64_t> heap;  // rank << 32 | place: the earliest merge, leftmost first
  heap.reserve(word.size());
  const auto look_up = [&](uint32_t i) {
    Part& part = parts[i];
    part.rank = kNoMerge;
    if (part.next == end) return false;
    part.rank = find(part.id, parts[part.next].id);
    return part.rank != kNoMerge;
  };
  const auto entry = [&](uint32_t i) { return static_cast<uint64_t>(parts[i].rank) << 32 | i; };
  for (uint32_t i = 0; i < end; ++i) {
    parts[i] = {byte_ids_[static_cast<unsigned char>(word[i])], kNoMerge, i - 1, i + 1};
  }
  for (uint32_t i = 0; i < end; ++i) {
    if (look_up(i)) heap.push_back(entry(i));
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto push = [&](uint32_t i) {
    if (!look_up(i)) return;
    heap.push_back(entry(i));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    const uint64_t top = heap.back();
    heap.pop_back();
    const uint32_t i = static_cast<uint32_t>(top);
    // An entry whose pair has changed since is out of date: each pair has its own rank.
    if (parts[i].rank != top >> 32) continue;
    const uint32_t gone = parts[i].next;
    parts[i].id = merges_[parts[i].rank].joined;
    parts[i].next = parts[gone].next;
    parts[gone].rank = kNoMerge;
    if (parts[i].next != end) parts[parts[i].next].previous = i;
    push(i);
    if (i > 0) push(parts[i].previous);
  }
  for (uint32_t i = 0; i < end; i = parts[i].next) ids.push_back(parts[i].id);
}

}  // namespace vlsi
