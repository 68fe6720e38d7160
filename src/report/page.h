// The program's pages: each is one HTML file that holds its data and needs nothing else.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace vlsi {

/// The report's page with `data` in it (docs/formats.md, "Report data"). Text from data files stays text: nothing in it
/// can end the element that holds the data.
std::string page_html(const OrderedJson& data);

/// The page of a served model, with {model, needs_key, has_layers} in it.
std::string chat_page_html(const OrderedJson& data);

/// `data` as one line of JSON without '<'; bytes that are no UTF-8 become U+FFFD.
std::string page_json(const OrderedJson& data);

}  // namespace vlsi
