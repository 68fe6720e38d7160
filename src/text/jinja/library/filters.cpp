#include "text/jinja/library/filters.h"

namespace vlsi {

const Table<JinjaBuiltin>& jinja_filters() {
  static const Table<JinjaBuiltin> filters = [] {
    Table<JinjaBuiltin> all{};
    for (const auto& part : {text_filters(), number_filters(), collection_filters(), item_filters()}) {
      for (const auto& filter : part) all.add(filter);
    }
    return all;
  }();
  return filters;
}

}  // namespace vlsi
