"""The program vlsi, built against one version of PyTorch's C++ library."""
