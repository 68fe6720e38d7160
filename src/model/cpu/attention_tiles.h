// Attention of one token's heads to a piece of a sequence, for any instruction set. Included by the files that are
// compiled for one: all of it is private to each, or the linker could give a processor instructions that it lacks.
#pragma once

#include <cstdint>

#include "model/cpu/cpu_kernels.h"

namespace vlsi {
namespace {

constexpr int64_t kTileTokens = 4;
constexpr float kNoLogit = -1e30F;  // of a token that is not there

/// Row of token `token` of a piece.
template <class Number>
inline const Number* token_row(const void* pool, int64_t stride, const int32_t* blocks, int64_t token) {
  const int64_t slot = int64_t{blocks[token / kBlockSlots]} * kBlockSlots + token % kBlockSlots;
  return static_cast<const Number*>(pool) + slot * stride;
}

/// logits [heads head ... head + G - 1, tokens token ... token + 3] = q kᵀ.
template <class Floats, class Number, int G>
void tile_logits(const AttentionPiece& piece, int64_t head, int64_t token) {
  const Number* rows[kTileTokens];
  for (int64_t i = 0; i < kTileTokens; ++i) {
    rows[i] = token_row<Number>(piece.k, piece.k_stride, piece.blocks,
                                token + i < piece.num_tokens ? token + i : piece.num_tokens - 1);
  }
  typename Floats::Vector sums[G][kTileTokens];
  for (auto& of_head : sums) {
    for (auto& sum : of_head) sum = Floats::zero();
  }
  const float* q = piece.q + head * piece.padded_width;
  int64_t at = 0;
  for (; at + Floats::kLanes <= piece.width; at += Floats::kLanes) {
    typename Floats::Vector keys[kTileTokens];
    for (int64_t i = 0; i < kTileTokens; ++i) keys[i] = Floats::load(rows[i] + at);
    for (int64_t g = 0; g < G; ++g) {
      const auto query = Floats::load(q + g * piece.padded_width + at);
      for (int64_t i = 0; i < kTileTokens; ++i) sums[g][i] = Floats::multiply_add(query, keys[i], sums[g][i]);
    }
  }
  if (at < piece.width) {
    for (int64_t g = 0; g < G; ++g) {
      const auto query = Floats::load(q + g * piece.padded_width + at);
      for (int64_t i = 0; i < kTileTokens; ++i) {
        sums[g][i] = Floats::multiply_add(query, Floats::load_first(rows[i] + at, piece.width - at), sums[g][i]);
      }
    }
  }
  for (int64_t g = 0; g < G; ++g) Floats::add_lanes(sums[g], piece.logits + (head + g) * kPieceTokens + token);
}

/// Replaces the logits of a head by e^(logit - maximum), zeros behind the last token.
template <class Floats>
void exponentiate(const AttentionPiece& piece, int64_t head) {
  float* const z = piece.logits + head * kPieceTokens;
  const int64_t end = (piece.num_tokens + Floats::kLanes - 1) / Floats::kLanes * Floats::kLanes;
  for (int64_t i = piece.num_tokens; i < end; ++i) z[i] = kNoLogit;
  auto largest = Floats::load(z);
  for (int64_t i = Floats::kLanes; i < end; i += Floats::kLanes)
    largest = Floats::maximum(largest, Floats::load(z + i));
  const float maximum = Floats::largest_lane(largest);
  auto total = Floats::zero();
  for (int64_t i = 0; i < end; i += Floats::kLanes) {
    const auto p = Floats::exponential(Floats::subtract(Floats::load(z + i), Floats::all(maximum)));
    Floats::store(z + i, p);
    total = Floats::add(total, p);
  }
  piece.maximum[head] = maximum;
  piece.total[head] = Floats::sum_of_lanes(total);
}

/// sums [heads head ... head + G - 1, V vectors from `at`] = p v, of values that load(row) reads.
template <class Floats, class Number, int G, int V, class Load>
inline __attribute__((always_inline)) void tile_values(const AttentionPiece& piece, int64_t head, int64_t at,
                                                       const Load& load) {
  typename Floats::Vector sums[G][V];
  for (auto& of_head : sums) {
    for (auto& sum : of_head) sum = Floats::zero();
  }
  for (int64_t token = 0; token < piece.num_tokens; ++token) {
    const Number* row = token_row<Number>(piece.v, piece.v_stride, piece.blocks, token) + at;
    typename Floats::Vector values[V];
    for (int64_t v = 0; v < V; ++v) values[v] = load(row + v * Floats::kLanes);
    for (int64_t g = 0; g < G; ++g) {
      const auto p = Floats::all(piece.logits[(head + g) * kPieceTokens + token]);
      for (int64_t v = 0; v < V; ++v) sums[g][v] = Floats::multiply_add(p, values[v], sums[g][v]);
    }
  }
  for (int64_t g = 0; g < G; ++g) {
    for (int64_t v = 0; v < V; ++v) {
      Floats::store(piece.sums + (head + g) * piece.padded_width + at + v * Floats::kLanes, sums[g][v]);
    }
  }
}

template <class Floats, class Number, int G>
void attend_heads(const AttentionPiece& piece, int64_t head) {
  constexpr int kVectors = Floats::kTileVectors;
  for (int64_t token = 0; token < piece.num_tokens; token += kTileTokens) {
    tile_logits<Floats, Number, G>(piece, head, token);
  }
  for (int64_t g = 0; g < G; ++g) exponentiate<Floats>(piece, head + g);
  const auto whole = [](const Number* row) { return Floats::load(row); };
  int64_t at = 0;
  for (; at + kVectors * Floats::kLanes <= piece.width; at += kVectors * Floats::kLanes) {
    tile_values<Floats, Number, G, kVectors>(piece, head, at, whole);
  }
  for (; at + Floats::kLanes <= piece.width; at += Floats::kLanes) {
    tile_values<Floats, Number, G, 1>(piece, head, at, whole);
  }
  if (at < piece.width) {
    const int64_t rest = piece.width - at;
    tile_values<Floats, Number, G, 1>(piece, head, at,
                                      [&](const Number* row) { return Floats::load_first(row, rest); });
  }
}

/// An AttentionKernel for a pool of `Number`s.
template <class Floats, class Number>
void attend_piece_by(const AttentionPiece& piece) {
  int64_t head = 0;
  for (; head + Floats::kTileHeads <= piece.num_heads; head += Floats::kTileHeads) {
    attend_heads<Floats, Number, Floats::kTileHeads>(piece, head);
  }
  for (; head < piece.num_heads; ++head) attend_heads<Floats, Number, 1>(piece, head);
}

}  // namespace
}  // namespace vlsi
