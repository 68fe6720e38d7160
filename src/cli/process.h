// What the process asks of its surroundings before any work starts.
#pragma once

namespace vlsi {

/// Lets idle OpenMP threads sleep instead of spin, unless the environment says otherwise: this program's loader threads, and other
/// programs, need the cores in between. OpenMP reads its environment when it is loaded, so the program starts itself once more.
/// Also keeps freed memory for the next tensor instead of giving it back page by page.
void prepare_process(char** argv);

}  // namespace vlsi
