// What a component costs, as it reports itself; plan/ adds up.
#pragma once

namespace vlsi {

/// Values are numbers in the run's dtype; those that are in float32 whatever the dtype is stand apart.
struct Cost {
  double kept_values = 0, kept_floats = 0;        // kept of a forward pass for its gradient
  double working_values = 0, working_floats = 0;  // in memory at once while a pass without gradient is under way
  double gradient_values = 0;                     // of the gradients under way in a backward pass, beside what is kept
  double operations = 0;                          // multiplications and additions of matrix products, of a forward pass
  double last_operations = 0;  // of these, the last product's, which a pass for the gradients alone leaves out

  Cost& operator+=(const Cost& other) {
    kept_values += other.kept_values;
    kept_floats += other.kept_floats;
    working_values += other.working_values;
    working_floats += other.working_floats;
    gradient_values += other.gradient_values;
    operations += other.operations;
    last_operations += other.last_operations;
    return *this;
  }

  double kept_bytes(double value_bytes) const { return value_bytes * kept_values + 4 * kept_floats; }
  double working_bytes(double value_bytes) const { return value_bytes * working_values + 4 * working_floats; }
};

}  // namespace vlsi
