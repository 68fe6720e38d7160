// Unicode normal form C, by the tables that the `tokenizers` library has.
#pragma once

#include <string>
#include <string_view>

namespace vlsi {

/// Whether `text`, valid UTF-8, is plainly in normal form C already: true needs no further work, false says nothing.
bool is_plainly_nfc(std::string_view text);

/// Appends normal form C of `text`, valid UTF-8, to `result`. The tables are those of Unicode 9, as in `tokenizers`:
/// what later versions gave a combining class or a composition stays where it stands.
void append_nfc(std::string_view text, std::string& result);

}  // namespace vlsi
