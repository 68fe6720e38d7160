// Whether the LibTorch that the program was loaded with is of the version that it was built against.
#pragma once

namespace vlsi {

/// Ends the program with a line and status 2 where the folder of the loaded LibTorch names another version; one that
/// names none is taken as it is. May be called before the constructors of all libraries, with symbols of LibTorch
/// missing: it uses system calls and C strings alone.
void require_own_torch();

}  // namespace vlsi
