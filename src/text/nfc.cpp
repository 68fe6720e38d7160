#include "text/nfc.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"

namespace vlsi {
namespace {

struct Range {
  char32_t first, last;
};

template <size_t N>
bool contains(const Range (&ranges)[N], char32_t code_point) {
  const Range* range = std::lower_bound(std::begin(ranges), std::end(ranges), code_point,
                                        [](const Range& r, char32_t value) { return r.last < value; });
  return range != std::end(ranges) && code_point >= range->first;
}

// Whole stretches of code points that are starters, stay as they are, and compose with nothing before them.
constexpr Range kPlain[] = {
    {0x0, 0x2FF},     {0x388, 0x482},     {0x48A, 0x590},     {0x61B, 0x64A},   {0x904, 0x93B},   {0x93D, 0x94C},
    {0xE01, 0xE37},   {0x1E00, 0x1EFF},   {0x2002, 0x20CF},   {0x2150, 0x2328}, {0x2600, 0x2ADB}, {0x3000, 0x3029},
    {0x3030, 0x3098}, {0x309B, 0x312F},   {0x3400, 0x9FFF},   {0xAC00, 0xD7A3}, {0xE000, 0xF8FF}, {0xFE00, 0xFE0F},
    {0xFF00, 0xFFFF}, {0x1F000, 0x1FAFF}, {0x20000, 0x2F7FF},
};

// Marks and compositions of Unicode 10 to 16. To tables of Unicode 9 they are unassigned: inert starters.
constexpr Range kInert[] = {
    {0x7FD, 0x7FD},     {0x897, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},     {0xC3C, 0xC3C},
    {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},   {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},
    {0xA82C, 0xA82C},   {0x105C0, 0x105FF}, {0x10D24, 0x10D27}, {0x10D69, 0x10D6D}, {0x10EAB, 0x10EAC},
    {0x10EFC, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B},
    {0x11380, 0x113FF}, {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11930}, {0x11938, 0x11938},
    {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34}, {0x11A47, 0x11A47},
    {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45}, {0x11D97, 0x11D97}, {0x11F41, 0x11F42},
    {0x16100, 0x1613F}, {0x16D40, 0x16D7F}, {0x16FF0, 0x16FF1}, {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136},
    {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF}, {0x1E5EE, 0x1E5EF},
};

[[noreturn]] void fail_to_normalise(utf8proc_ssize_t error) { fail("normalising text: ", utf8proc_errmsg(error)); }

void append_by_newest_tables(std::string_view text, std::string& result) {
  constexpr auto kOptions = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
  constexpr int kMaxDecomposed = 8;  // no code point has a canonical decomposition that is longer than four
  std::vector<utf8proc_int32_t> points;
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = next_code_point(text.substr(i));
    utf8proc_int32_t decomposed[kMaxDecomposed];
    int boundary = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(step.code_point), decomposed,
                                               kMaxDecomposed, kOptions, &boundary);
    if (count < 0) fail_to_normalise(count);
    points.insert(points.end(), decomposed, decomposed + count);
    i += step.num_bytes;
  }
  // utf8proc_map would sort marks by insertion: quadratic in a long run of them.
  const auto combining_class = [](utf8proc_int32_t point) { return utf8proc_get_property(point)->combining_class; };
  for (auto begin = points.begin(); begin != points.end();) {
    const auto end = std::find_if(begin, points.end(), [&](auto point) { return combining_class(point) == 0; });
    std::stable_sort(begin, end, [&](auto a, auto b) { return combining_class(a) < combining_class(b); });
    begin = end == points.end() ? end : end + 1;
  }
  const auto count = utf8proc_normalize_utf32(points.data(), static_cast<utf8proc_ssize_t>(points.size()), kOptions);
  if (count < 0) fail_to_normalise(count);
  for (utf8proc_ssize_t i = 0; i < count; ++i) append_code_point(static_cast<char32_t>(points[i]), result);
}

}  // namespace

bool is_plainly_nfc(std::string_view text) {
  for (size_t i = ascii_prefix(text); i < text.size();) {
    const Utf8Step step = next_code_point(text.substr(i));
    if (!contains(kPlain, step.code_point)) return false;
    i += step.num_bytes;
    if (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80) i += ascii_prefix(text.substr(i));
  }
  return true;
}

void append_nfc(std::string_view text, std::string& result) {
  // Nothing reaches back over a plain code point: what stands before it, and it with what follows, are apart.
  size_t begin = 0;
  bool all_plain = true;  // [begin, i)
  const auto flush = [&](size_t end) {
    const std::string_view stretch = text.substr(begin, end - begin);
    all_plain ? void(result.append(stretch)) : append_by_newest_tables(stretch, result);
    begin = end;
    all_plain = true;
  };
  size_t last_plain = 0;
  for (size_t i = 0; i < text.size();) {
    const Utf8Step step = next_code_point(text.substr(i));
    if (contains(kInert, step.code_point)) {
      flush(i);
      flush(i + step.num_bytes);
    } else if (contains(kPlain, step.code_point)) {
      if (!all_plain) flush(i);
      last_plain = i;
    } else if (all_plain) {
      if (last_plain > begin) flush(last_plain);
      all_plain = false;
    }
    i += step.num_bytes;
  }
  flush(text.size());
}

}  // namespace vlsi
