# Imported target `LibTorch`, made from the pip wheel that cmake/setup.sh links to .deps/libtorch-{cpu,cuda}.
#
# Not find_package(Torch): with the CUDA wheel it demands the CUDA compiler at configure time, which nothing here needs.
set(VLSI_TORCH cpu CACHE STRING "Which LibTorch to build against: cpu or cuda")
set(VLSI_LIBTORCH "" CACHE PATH "Another one: the folder torch of an installed wheel")
set(torch_root ${CMAKE_SOURCE_DIR}/.deps/libtorch-${VLSI_TORCH})
if(VLSI_LIBTORCH)
  set(torch_root ${VLSI_LIBTORCH})
endif()
if(NOT EXISTS ${torch_root}/lib/libtorch_cpu.so)
  message(FATAL_ERROR "LibTorch is not at ${torch_root}; run cmake/setup.sh first")
endif()

# The wheel's include folder also carries copies of fmt and other libraries that would shadow the system's, so only
# LibTorch's own headers are put on the include path.
set(torch_include ${CMAKE_BINARY_DIR}/libtorch-include)
file(MAKE_DIRECTORY ${torch_include})
file(REAL_PATH ${torch_root} torch_real)
foreach(folder ATen c10 caffe2 torch)
  file(CREATE_LINK ${torch_real}/include/${folder} ${torch_include}/${folder} SYMBOLIC)
endforeach()

add_library(LibTorch INTERFACE IMPORTED)
target_include_directories(LibTorch SYSTEM INTERFACE
  ${torch_include} ${torch_real}/include/torch/csrc/api/include)
target_link_directories(LibTorch INTERFACE ${torch_real}/lib)
# The C++ library comes first: some wheels export parts of an older one, which work with their own code alone.
target_link_libraries(LibTorch INTERFACE -Wl,--no-as-needed stdc++ torch torch_cpu c10)
file(GLOB torch_libraries ${torch_real}/lib/libtorch.so ${torch_real}/lib/libtorch_cpu.so ${torch_real}/lib/libtorch_cuda.so ${torch_real}/lib/libc10*.so)
if(EXISTS ${torch_root}/lib/libtorch_cuda.so)
  target_link_libraries(LibTorch INTERFACE torch_cuda c10_cuda)
  set(nccl_include ${torch_real}/../nvidia/nccl/include ${torch_real}/../nvidia/cu13/include)  # of pip packages, for one source
endif()
# OpenMP's library as the wheel has it: a second copy, the compiler's own, would bring a second pool of threads.
file(GLOB torch_openmp ${torch_real}/lib/libgomp*.so* ${torch_real}/../torch.libs/libgomp*.so*)
if(NOT torch_openmp)
  message(FATAL_ERROR "LibTorch at ${torch_root} has no libgomp beside it")
endif()
list(GET torch_openmp 0 torch_openmp)
get_filename_component(torch_openmp_folder ${torch_openmp} DIRECTORY)
target_link_libraries(LibTorch INTERFACE ${torch_openmp} -Wl,--as-needed)
target_link_options(LibTorch INTERFACE -Wl,-rpath,${torch_real}/lib -Wl,-rpath,${torch_openmp_folder})
