// Compiled for AVX-512 F, BW, DQ and VL: nothing here may be an inline function or template that other files share.
#include "model/cpu/attention_tiles.h"
#include "model/cpu/float_rows.h"
#include "model/cpu/floats_avx512.h"

namespace vlsi {

void multiply_float32_avx512(const RowOperands& operands, int64_t first, int64_t last) {
  multiply_rows_by<FloatRows<Floats512, float, 4>>(operands, first, last);
}

void multiply_bfloat16_avx512(const RowOperands& operands, int64_t first, int64_t last) {
  multiply_rows_by<FloatRows<Floats512, uint16_t, 4>>(operands, first, last);
}

void attend_float32_avx512(const AttentionPiece& piece) { attend_piece_by<Floats512, float>(piece); }

void attend_bfloat16_avx512(const AttentionPiece& piece) { attend_piece_by<Floats512, uint16_t>(piece); }

}  // namespace vlsi
