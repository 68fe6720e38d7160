#include "run/verbal_draft.h"

#include <ATen/ATen.h>

#include "base/contains.h"
#include "base/error.h"
#include "model/product.h"

namespace vlsi {

Draft draft_by_verbalizer(const Speaker& speaker, int64_t layer, int64_t num_tokens) {
  if (!speaker.verbalizers) fail("drafting by layer ", layer, ": the model has no verbalizers");
  const auto& layers = speaker.verbalizers->layers();
  if (!contains(layers, layer)) {
    fail("drafting by layer ", layer, ": there is no verbalizer for it, but for ", at::IntArrayRef(layers));
  }
  const auto& network = *speaker.verbalizers->config().architecture;
  if (network.reads_all_tokens) {
    fail("drafting by layer ", layer, ": its verbalizer is a '", network.name,
         "', which reads all earlier tokens; expected one that reads rows alone, as verb_ffn");
  }
  return {layer, num_tokens,
          [model = speaker.model, verbalizers = speaker.verbalizers, other = speaker.verbal_head,
           layer](const at::Tensor& rows) {
            const auto spoken = verbalizers->forward_rows(layer, rows).to(model->dtype());
            const RowMap head = other.defined() ? RowMap{other} : model->head_map();
            return has_row_products(spoken, head) ? row_products(spoken, head, at::kFloat)
                                                  : affine(spoken, head.weight).to(at::kFloat);
          }};
}

}  // namespace vlsi
