#include "report/page.h"

#include <c10/util/Exception.h>

// Other text for other pages: a cache of the compiler does not look into what .incbin takes in.
#include VLSI_CHAT_PAGE_SUM
#include VLSI_PAGE_SUM

// The built pages of web/, as bytes of the program (VLSI_PAGE_FILE and VLSI_CHAT_PAGE_FILE are their paths).
asm(".section .rodata\n"
    ".global vlsi_page_begin\n.global vlsi_page_end\n"
    "vlsi_page_begin:\n.incbin \"" VLSI_PAGE_FILE
    "\"\n"
    "vlsi_page_end:\n.byte 0\n"
    ".global vlsi_chat_page_begin\n.global vlsi_chat_page_end\n"
    "vlsi_chat_page_begin:\n.incbin \"" VLSI_CHAT_PAGE_FILE
    "\"\n"
    "vlsi_chat_page_end:\n.byte 0\n"
    ".previous\n");
extern "C" const char vlsi_page_begin[];
extern "C" const char vlsi_page_end[];
extern "C" const char vlsi_chat_page_begin[];
extern "C" const char vlsi_chat_page_end[];

namespace vlsi {
namespace {

constexpr std::string_view kPlaceholder = "__VLSI_PAGE_DATA__";  // as in web/*.html

/// The built page from `begin` to `end` with `data` in its place.
std::string with_data(const char* begin, const char* end, const OrderedJson& data) {
  const std::string_view page(begin, static_cast<size_t>(end - begin));
  const size_t place = page.find(kPlaceholder);
  TORCH_CHECK(place != page.npos, "the built page has no place for its data");
  std::string html;
  html += page.substr(0, place);
  html += page_json(data);
  html += page.substr(place + kPlaceholder.size());
  return html;
}

}  // namespace

std::string page_json(const OrderedJson& data) {
  const std::string text = data.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  std::string safe;
  safe.reserve(text.size() + text.size() / 64);
  for (const char c : text) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

std::string page_html(const OrderedJson& data) { return with_data(vlsi_page_begin, vlsi_page_end, data); }

std::string chat_page_html(const OrderedJson& data) {
  return with_data(vlsi_chat_page_begin, vlsi_chat_page_end, data);
}

}  // namespace vlsi
