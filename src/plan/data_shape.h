// What a step's micro-batches are like, from the first ones of its own data.
#pragma once

#include "data/sample_pair.h"
#include "run/steps.h"

namespace vlsi {

struct BatchShape {
  double samples = 0, tokens = 0, answers = 0;
  double patches = 0;          // of all pictures
  double largest_picture = 0;  // patches
};

struct DataShape {
  BatchShape largest, mean;                  // of the micro-batches looked at: field by field; see look_at_data
  BatchShape teacher_largest, teacher_mean;  // the same of what the teacher is shown
  bool is_shown_the_same = true;             // the teacher, by the student's own batches
  double tokens = 0, distinct_tokens = 0;    // of all of them
  double epoch_records = 0;                  // records that an epoch visits
  double distinct_pictures = 1;              // share of an epoch's pictures that are not another one again
};

/// Of the micro-batches that `step` begins with: four, or fewer that hold 64 samples. With interact.on_policy, the
/// largest ones allow for drawn answers of the greatest length, and the mean ones have the records' own, whose lengths
/// drawn ones are taken to have. Errors are Loader's.
DataShape look_at_data(const RunConfig& config, StepKind step, const SampleMaker& maker);

/// The share of the pictures of an epoch that are not another one again, by their paths: of all records, or estimated
/// from 4,096 of them, drawn at random; 1 without pictures.
double distinct_pictures(const Mixture& mixture);

/// The most that a micro-batch may be by `batch_tokens`: every token an answer, and all of them places of one picture
/// with `patches_a_token` patches each, and so many to the teacher.
DataShape largest_possible(const DataConfig& config, double patches_a_token, double teacher_patches_a_token);

}  // namespace vlsi
