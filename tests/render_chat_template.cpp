// Renders chat templates for scripts: reads {"template", "variables"} from stdin, one a line, and writes {"text"} or
// {"error"}.
#include <iostream>
#include <string>

#include "base/error.h"
#include "base/json.h"
#include "text/chat_template.h"

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    vlsi::OrderedJson result;
    try {
      const auto request = vlsi::OrderedJson::parse(line);
      const auto chat_template = vlsi::ChatTemplate::parse(request.at("template").get<std::string>(), "template");
      result["text"] = chat_template.render(vlsi::TemplateValue::from_json(request.at("variables"))).text;
    } catch (const vlsi::Error& error) {
      result["error"] = error.what();
    }
    std::cout << result.dump() << '\n';
  }
}
