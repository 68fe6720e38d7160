#include "method/answer_means.h"

#include <ATen/ATen.h>

namespace vlsi {

void add_answer_means(std::map<std::string, Mean>& means, const std::string& name, const at::Tensor& losses,
                      const at::Tensor& labels, int32_t end_of_turn) {
  const auto is_word = labels.ne(end_of_turn);
  const auto values = losses.detach();
  means[name] = {values.sum(-1), labels.size(0)};
  means[name + "_words"] = {(values * is_word).sum(-1), is_word.sum().item<int64_t>()};
}

}  // namespace vlsi
