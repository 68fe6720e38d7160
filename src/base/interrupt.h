// Ctrl-C as a wish: long jobs look at it between micro-batches.
#pragma once

namespace vlsi {

/// Catches SIGINT and SIGTERM from now on: the first sets the wish, a second one ends the program at once.
void catch_interrupts();
bool interrupted();
/// Sets the wish as a signal would.
void request_interrupt();

}  // namespace vlsi
