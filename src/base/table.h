// A table of things of one kind by name (families, matching rules, networks, codecs, benchmarks), and a field of a
// configuration that is one of them.
#pragma once

#include <c10/util/Exception.h>

#include <deque>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace vlsi {

/// Entries have a member `name`, and stay where they are for good. A table is filled before threads read it.
template <class Entry>
class Table {
 public:
  Table(std::initializer_list<Entry> entries) : entries_(entries) {}

  /// One more entry, under a name of its own.
  void add(Entry entry) {
    TORCH_CHECK(find(entry.name) == nullptr, "the table has an entry '", entry.name, "'");
    entries_.push_back(std::move(entry));
  }

  /// Null where there is none of this name.
  const Entry* find(std::string_view name) const {
    for (const auto& entry : entries_) {
      if (entry.name == name) return &entry;
    }
    return nullptr;
  }

  /// "a, b, c", or with another text between them.
  std::string names(std::string_view between = ", ") const {
    std::string all;
    for (const auto& entry : entries_) all += concat(all.empty() ? "" : between, entry.name);
    return all;
  }

  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::deque<Entry> entries_;
};

/// One entry of the table that the function gives: in a configuration, its name.
template <class Entry, Table<Entry>& (*kTable)()>
class Choice {
 public:
  /// The first entry.
  Choice() : entry_(&*kTable().begin()) {}
  /// A name that the table has.
  explicit Choice(std::string_view name) : entry_(kTable().find(name)) {
    TORCH_CHECK(entry_ != nullptr, "the table has no entry '", name, "'");
  }

  static const Table<Entry>& table() { return kTable(); }
  static std::optional<Choice> parse(const std::string& text) {
    const Entry* found = kTable().find(text);
    return found == nullptr ? std::nullopt : std::optional(Choice(*found));
  }
  static std::string expected() { return "one of " + kTable().names(); }
  std::string text() const { return std::string(entry_->name); }

  const Entry& operator*() const { return *entry_; }
  const Entry* operator->() const { return entry_; }
  bool operator==(const Choice& other) const { return entry_ == other.entry_; }

 private:
  explicit Choice(const Entry& entry) : entry_(&entry) {}

  const Entry* entry_;
};

}  // namespace vlsi
