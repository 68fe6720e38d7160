// The report's page: one HTML file that holds its data and needs nothing else.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"

namespace vlsi {

/// The page with `data` in it (docs/formats.md, "Report data"). Text from data files stays text: nothing in it can end
/// the element that holds the data.
std::string page_html(const OrderedJson& data);

/// `data` as one line of JSON without '<'; bytes that are no UTF-8 become U+FFFD.
std::string page_json(const OrderedJson& data);

}  // namespace vlsi
