# Imported target `Arrow`: the C++ libraries Arrow and Parquet of the pip wheel pyarrow, which cmake/setup.sh links to
# .deps/arrow. Their headers, heavy to compile, are for the sources that name `arrow_include` in their options.
set(arrow_root ${CMAKE_SOURCE_DIR}/.deps/arrow)
set(arrow_abi 2600)  # of pyarrow 26.0
foreach(library arrow parquet)
  if(NOT EXISTS ${arrow_root}/lib${library}.so.${arrow_abi})
    message(FATAL_ERROR "Arrow and Parquet are not at ${arrow_root} (lib${library}.so.${arrow_abi} is missing); run cmake/setup.sh first")
  endif()
endforeach()
file(REAL_PATH ${arrow_root} arrow_real)
set(arrow_include -isystem ${arrow_real}/include)

add_library(Arrow INTERFACE IMPORTED)
target_link_libraries(Arrow INTERFACE ${arrow_real}/libparquet.so.${arrow_abi} ${arrow_real}/libarrow.so.${arrow_abi})
target_link_options(Arrow INTERFACE -Wl,-rpath,${arrow_real})
